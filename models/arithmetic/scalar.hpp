#pragma once

/// Elementary functions of one double. They use nothing but additions, multiplications, divisions and roots,
/// each rounded as IEEE 754 says, so that they have the same bits with every C library and on every
/// processor. Errors are below 2 units in the last place of a double (of 1 for sine and cosine), far below a
/// float's.
namespace slipstream::arithmetic {

/// The natural logarithm of x > 0; NaN for x < 0 or NaN, infinities as usual.
double logarithm(double x);

/// e^x.
double exponential(double x);

/// x^y for x > 0.
double power(double x, double y);

/// Sine and cosine of an angle in radians of at most a million turns.
struct sine_cosine {
  double sine, cosine;
};
sine_cosine turn(double angle);

}  // namespace slipstream::arithmetic
