// Reads the configuration, and collects everything that is wrong with it, each by its path.

import { ONE, parse } from "./decimal.js";

const PERCENT_MAX = 100n * ONE;

/** The units of a configuration by name, or a list of problems, which is thrown. */
export function read(config) {
  const problems = [];
  const units = new Map();
  const root = object(json(config), "", problems, ["units"]);
  const names = root && object(root.units, "units", problems, null);
  for (const [name, value] of Object.entries(names ?? {})) {
    const path = `units.${name}`;
    if (name === "") problem(problems, path, "a unit needs a name");
    units.set(name, unit(value, path, problems));
  }
  if (names && units.size === 0) problem(problems, "units", "must name at least one");
  if (problems.length > 0) throw problems;
  return units;
}

function json(config) {
  try {
    return JSON.parse(config);
  } catch (error) {
    throw [{ path: "", reason: `is not JSON: ${error.message}` }];
  }
}

function unit(value, path, problems) {
  const table = object(value, path, problems, ["price", "per", "discounts"]);
  if (table === null) return null;
  const price = decimal(table.price, `${path}.price`, problems);
  const per = table.per === undefined ? 1n : whole(table.per, `${path}.per`, problems);
  return { price, per, discounts: discounts(table.discounts, `${path}.discounts`, problems) };
}

/** Steps by rising quantity; of those that an event reaches, the last one counts. */
function discounts(value, path, problems) {
  if (value === undefined) return [];
  if (!Array.isArray(value)) {
    problem(problems, path, "must be a list");
    return [];
  }
  let before = 0n;
  return value.map((step, index) => {
    const at = `${path}[${index}]`;
    const table = object(step, at, problems, ["from", "percent"]);
    if (table === null) return null;
    const from = whole(table.from, `${at}.from`, problems);
    if (from !== null && from <= before) problem(problems, `${at}.from`, "must be above that of the step before");
    before = from ?? before;
    const percent = decimal(table.percent, `${at}.percent`, problems);
    if (percent !== null && percent > PERCENT_MAX) problem(problems, `${at}.percent`, "must not be above 100");
    return { from, percent };
  });
}

/** An object that has these members at most, or any where none are listed. */
function object(value, path, problems, members) {
  if (value === undefined) {
    problem(problems, path, "is required");
    return null;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    problem(problems, path, path === "" ? "must be an object" : "must be a table");
    return null;
  }
  for (const name of Object.keys(value)) {
    if (members && !members.includes(name)) problem(problems, path === "" ? name : `${path}.${name}`, "no such setting");
  }
  return value;
}

/** A decimal in quotes: a JSON number has been a float already. */
function decimal(value, path, problems) {
  if (value === undefined) return problem(problems, path, "is required");
  if (typeof value !== "string") return problem(problems, path, 'must be a decimal number in quotes, such as "0.15"');
  const attos = parse(value);
  return attos ?? problem(problems, path, `${JSON.stringify(value)} is no decimal number of at most 18 digits before and after the point, not below zero`);
}

/** A whole number above zero. */
function whole(value, path, problems) {
  if (value === undefined) return problem(problems, path, "is required");
  if (!Number.isSafeInteger(value) || value < 1) return problem(problems, path, "must be a whole number above 0");
  return BigInt(value);
}

function problem(problems, path, reason) {
  problems.push({ path, reason });
  return null;
}
