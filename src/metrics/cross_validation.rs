//! Which periods may be learnt from when others are for judging.
