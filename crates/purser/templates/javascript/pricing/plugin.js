// Prices events by model: so many credits for each unit, and a minimum.
//
// Amounts are whole micro-credits in BigInt: a credit is 1,000,000 of them. A number of JavaScript is a float, and no float
// is exact.

const SCALE = 18;

// A decimal in quotes as a whole number of 10^-18.
function decimal(text) {
  const match = /^(\d{1,12})(?:\.(\d{1,18}))?$/.exec(text);
  return match && BigInt(match[1] + (match[2] ?? '').padEnd(SCALE, '0'));
}

// A quantity times a price, in micro-credits, rounded half to even.
function credits(amount, price) {
  const unit = 10n ** BigInt(SCALE - 6);
  const [whole, rest] = [(amount * price) / unit, (amount * price) % unit];
  const isUp = rest * 2n > unit || (rest * 2n === unit && whole % 2n === 1n);
  return isUp ? whole + 1n : whole;
}

const CREDITS_MAX = 9_000_000_000_000_000_000n;

let models = [];
let minimum = 0n;

function nearest(model) {
  const isOf = ({ name }) =>
    new RegExp(`^${name.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`, 's').test(model);
  const nearness = ({ name }) => [...name].filter((c) => c !== '*').length * 2 + (name.includes('*') ? 0 : 1);
  return models.filter(isOf).sort((a, b) => nearness(b) - nearness(a))[0];
}

export const pricing = {
  configure(text) {
    const config = JSON.parse(text);
    const problems = [];
    const price = (path, value) => {
      const read = typeof value === 'string' ? decimal(value) : null;
      if (read === null) problems.push({ path, reason: 'must be a decimal number in quotes, such as "0.15"' });
      return read ?? 0n;
    };
    minimum = credits(1n, price('minimum', config.minimum ?? '0'));
    models = (config.models ?? []).map(({ model, credits }, index) => {
      if (typeof model !== 'string' || model === '') problems.push({ path: `models[${index}].model`, reason: 'must be a text' });
      const prices = Object.entries(credits ?? {});
      return { name: String(model), credits: new Map(prices.map(([unit, value]) => [unit, price(`models[${index}].credits.${unit}`, value)])) };
    });
    if (models.length === 0) problems.push({ path: 'models', reason: 'at least one model needs prices' });
    for (const path of Object.keys(config)) {
      if (!['minimum', 'models'].includes(path)) problems.push({ path, reason: 'no such setting' });
    }
    if (problems.length > 0) throw problems;
  },

  price(event) {
    const used = event.quantities.filter(({ amount }) => amount > 0n);
    if (used.length === 0) return { items: [] };
    const unpriced = (unit) => ({ tag: 'unpriced', val: { model: event.model, activity: event.activity, unit } });
    const model = event.model === undefined ? undefined : nearest(event.model);
    if (model === undefined) throw unpriced(undefined);
    const items = used.map(({ unit, amount }) => {
      const price = model.credits.get(unit);
      if (price === undefined) throw unpriced(unit);
      return { label: unit.replaceAll('_', ' '), unit, quantity: amount, credits: credits(amount, price) };
    });
    const sum = items.reduce((sum, item) => sum + item.credits, 0n);
    if (sum > CREDITS_MAX) throw { tag: 'invalid-usage', val: 'this costs more than any account can hold' };
    if (sum < minimum) items.push({ label: 'minimum', unit: '', quantity: 1n, credits: minimum - sum });
    return { items };
  },
};
