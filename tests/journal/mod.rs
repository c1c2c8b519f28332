//! Recordings: what goes in comes out, whatever happens to the disk.

mod account;
mod crash;
mod damage;
mod faulty_disk;
mod fixture;
mod golden;
mod index;
mod recording;
mod tamper;
