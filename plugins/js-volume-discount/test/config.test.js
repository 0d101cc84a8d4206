// What is said of configurations that are wrong: everything at once, each by its path.

import assert from "node:assert/strict";
import test from "node:test";
import { read } from "../src/config.js";
import { parse, text } from "../src/decimal.js";

function problems(config) {
  try {
    read(typeof config === "string" ? config : JSON.stringify(config));
  } catch (problems) {
    return problems.map(({ path, reason }) => `${path}: ${reason}`);
  }
  return [];
}

test("every problem is told, with its path", () => {
  const config = {
    units: {
      a: { price: 4, per: 0, discounts: [{ from: 10, percent: "101" }, { from: 10, percent: "x" }, 7] },
      b: { per: 1.5, colour: "red" },
      c: 1,
    },
    unit: {},
  };
  assert.deepEqual(problems(config), [
    "unit: no such setting",
    'units.a.price: must be a decimal number in quotes, such as "0.15"',
    "units.a.per: must be a whole number above 0",
    "units.a.discounts[0].percent: must not be above 100",
    "units.a.discounts[1].from: must be above that of the step before",
    'units.a.discounts[1].percent: "x" is no decimal number of at most 18 digits before and after the point, not below zero',
    "units.a.discounts[2]: must be a table",
    "units.b.colour: no such setting",
    "units.b.price: is required",
    "units.b.per: must be a whole number above 0",
    "units.c: must be a table",
  ]);
});

test("a configuration names a unit", () => {
  assert.deepEqual(problems({}), ["units: is required"]);
  assert.deepEqual(problems({ units: {} }), ["units: must name at least one"]);
  assert.deepEqual(problems({ units: { "": { price: "1" } } }), ["units.: a unit needs a name"]);
  assert.deepEqual(problems("[]"), [": must be an object"]);
  assert.match(problems("{")[0], /^: is not JSON: /);
});

test("decimals are read exactly", () => {
  for (const written of ["0", "0.15", "12.5", "999999999999999999", "0.000000000000000001"]) {
    assert.equal(text(parse(written)), written);
  }
  assert.equal(text(parse("007.50")), "7.5");
  for (const wrong of ["", "-1", ".5", "1.", "1e3", "1,5", "1 ", "1000000000000000000", "0.0000000000000000001"]) {
    assert.equal(parse(wrong), null, wrong);
  }
});
