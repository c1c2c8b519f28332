//! Tridiagonal systems, the matrix exponential, and the Perron eigenvector.
