// Exact decimals, as whole numbers of attos: 1 is 10^18 of them. A BigInt holds any product of these, so that nothing is
// ever a float, and a line is rounded once.

/** How many attos one is. */
export const ONE = 10n ** 18n;

/** The most digits before and after the point. */
const DIGITS_MAX = 18;

/** Attos in a micro-credit. */
const ATTOS_PER_MICRO = 10n ** 12n;

/** Reads a decimal text, such as "0.15", as attos; `null` where it is none, or has too many digits. */
export function parse(text) {
  const parts = /^(\d+)(?:\.(\d+))?$/.exec(text);
  if (parts === null) return null;
  const whole = parts[1].replace(/^0+(?=\d)/, "");
  const fraction = (parts[2] ?? "").replace(/0+$/, "");
  if (whole.length > DIGITS_MAX || fraction.length > DIGITS_MAX) return null;
  return BigInt(whole) * ONE + BigInt(fraction.padEnd(DIGITS_MAX, "0"));
}

/** Writes attos as the shortest decimal text. */
export function text(attos) {
  const fraction = String(attos % ONE).padStart(DIGITS_MAX, "0").replace(/0+$/, "");
  return fraction === "" ? String(attos / ONE) : `${attos / ONE}.${fraction}`;
}

/** Attos of credits over a divisor, in micro-credits: rounded half to even, the one rounding of a line. */
export function micros(attos, divisor) {
  const denominator = divisor * ATTOS_PER_MICRO;
  const floor = attos / denominator;
  const twice = (attos % denominator) * 2n;
  const isUp = twice > denominator || (twice === denominator && floor % 2n === 1n);
  return isUp ? floor + 1n : floor;
}
