// Does in JavaScript what a plugin must not, as the event's model says: the host's tests hold it to its bounds.

let calls = 0;

function recurse(depth) {
  return depth === 0 ? 0 : 1 + recurse(depth - 1);
}

function endless() {
  for (let n = 0; ; n++) calls = n;
}

function hoard() {
  const held = [];
  for (;;) held.push(new Uint8Array(1 << 20).fill(held.length));
}

/** One line of so many micro-credits. */
function line(credits) {
  return { items: [{ label: "line", unit: "messages", quantity: 1n, credits: BigInt(credits) }] };
}

const DEEDS = {
  loop: endless,
  memory: hoard,
  throw: () => JSON.parse("{"),
  nonsense: () => ({ lines: 7 }),
  // What an instance remembers of its other calls.
  counter: () => line(calls),
  deep: () => line(recurse(200)),
  time: () => line(Date.now()),
  random: () => line(Math.floor(Math.random() * 1e15)),
};

export const pricing = {
  configure(config) {
    if (config === '"loop"') endless();
  },
  price(event) {
    calls += 1;
    const deed = DEEDS[event.model];
    return deed === undefined ? line(3_000_000) : deed();
  },
};
