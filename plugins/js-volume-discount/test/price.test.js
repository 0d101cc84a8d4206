// What events cost. The components are held to the same figures in the host's tests.

import assert from "node:assert/strict";
import test from "node:test";
import { read } from "../src/config.js";
import { price } from "../src/price.js";

const units = read(JSON.stringify({
  units: {
    images: { price: "4", discounts: [{ from: 10, percent: "10" }, { from: 100, percent: "12.5" }] },
    characters: { price: "15", per: 1000000 },
    halves: { price: "0.0000005" },
    free: { price: "0" },
    dear: { price: "999999999999999999" },
  },
}));

function lines(quantities) {
  const event = { activity: "render", model: undefined, quantities: quantities.map(([unit, amount]) => ({ unit, amount })) };
  return price(units, event).items.map(({ label, quantity, credits }) => [label, quantity, credits]);
}

test("the size of an event earns its discount", () => {
  assert.deepEqual(lines([["images", 9n]]), [["images", 9n, 36_000_000n]]);
  assert.deepEqual(lines([["images", 10n]]), [["images, 10 % off", 10n, 36_000_000n]]);
  assert.deepEqual(lines([["images", 99n]]), [["images, 10 % off", 99n, 356_400_000n]]);
  assert.deepEqual(lines([["images", 100n]]), [["images, 12.5 % off", 100n, 350_000_000n]]);
});

test("a line is rounded once, half to even", () => {
  for (const [quantity, expected] of [[1n, 0n], [2n, 1n], [3n, 2n], [5n, 2n], [7n, 4n]]) {
    assert.deepEqual(lines([["halves", quantity]]), [["halves", quantity, expected]]);
  }
  assert.deepEqual(lines([["characters", 1n]]), [["characters", 1n, 15n]]);
});

test("zeros are ignored, and free is a price", () => {
  assert.deepEqual(lines([["unknown", 0n], ["free", 3n]]), [["free", 3n, 0n]]);
  assert.deepEqual(lines([]), []);
});

test("what has no price is refused by name", () => {
  assert.throws(() => lines([["unknown", 1n]]), (refusal) => {
    assert.deepEqual(refusal, { tag: "unpriced", val: { model: undefined, activity: "render", unit: "unknown" } });
    return true;
  });
});

test("what no account can hold is refused", () => {
  assert.throws(() => lines([["dear", 1n]]), (refusal) => refusal.tag === "invalid-usage");
});
