/* eigen.h: eigenvalues and eigenvectors of a symmetric matrix. */
#ifndef AIM_VM_EIGEN_H
#define AIM_VM_EIGEN_H

#include <stdbool.h>
#include <stddef.h>

/* A = V' diag(w) V for a symmetric A [n][n], which is overwritten: eigenvalues w [n] in no order, row k of V [n][n] the unit eigenvector of w[k].
 * work: 2 n doubles.  Householder's reduction to a tridiagonal matrix, then QR steps with Wilkinson's shift (Golub and Van Loan, Matrix
 * Computations, algorithms 8.3.1 and 8.3.3).  Backward stable; takes about 9 n^3 flops.  False, with w and V not usable, if A has
 * elements that are not finite or the steps do not end. */
bool eigen_symmetric(size_t n, double *A, double *w, double *V, double *work);

#endif
