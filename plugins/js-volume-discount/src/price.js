// The arithmetic: what the quantities of an event cost, each with the discount that its size earns.

import { micros, ONE, text } from "./decimal.js";

/** The most that a charge may cost, in micro-credits: what an account can hold. */
const CREDITS_MAX_MICROS = 9_000_000_000_000_000_000n;

const HUNDRED_PERCENT = 100n * ONE;

/** The lines of an event. What cannot be priced is thrown, as a refusal of the WIT. */
export function price(units, event) {
  const items = [];
  let sum = 0n;
  for (const { unit, amount } of event.quantities) {
    if (amount === 0n) continue;
    const found = units.get(unit);
    if (found === undefined) {
      throw { tag: "unpriced", val: { model: event.model, activity: event.activity, unit } };
    }
    const item = line(unit, amount, found);
    sum += item.credits;
    if (sum > CREDITS_MAX_MICROS) throw { tag: "invalid-usage", val: "this costs more than any account can hold" };
    items.push(item);
  }
  return { items };
}

function line(unit, quantity, { price, per, discounts }) {
  const percent = discounts.findLast((step) => quantity >= step.from)?.percent ?? 0n;
  // Price, discount and divisor come together before the one rounding.
  const credits = micros(quantity * price * (HUNDRED_PERCENT - percent), per * HUNDRED_PERCENT);
  const name = unit.replaceAll("_", " ");
  return { label: percent === 0n ? name : `${name}, ${text(percent)} % off`, unit, quantity, credits };
}
