// Lets an account make so many requests within a time.

let requests = 0n;
let seconds = 0;
let adviseFrom;

const NAME = 'requests';

export const throttling = {
  configure(text) {
    const config = JSON.parse(text);
    const problems = [];
    const whole = (path, most) => {
      const value = config[path];
      const isOne = Number.isInteger(value) && value >= 1 && value <= most;
      if (!isOne) problems.push({ path, reason: `must be a whole number from 1 to ${most}` });
      return isOne ? value : 1;
    };
    requests = BigInt(whole('requests', Number.MAX_SAFE_INTEGER));
    seconds = whole('per_seconds', 3_024_000);
    adviseFrom = config.advise_from === undefined ? undefined : BigInt(whole('advise_from', Number.MAX_SAFE_INTEGER));
    for (const path of Object.keys(config)) {
      if (!['requests', 'per_seconds', 'advise_from'].includes(path)) problems.push({ path, reason: 'no such setting' });
    }
    if (problems.length > 0) throw problems;
    return [{ name: NAME, scope: 'account', measure: 'requests', seconds, limit: requests }];
  },

  decide(request, [reading]) {
    // A hold that is open is not refused its extension: the call would be cut off.
    if (request.action === 'extend-hold') return { tag: 'allow' };
    const made = reading.value;
    const allowed = `${requests} requests in ${seconds} s`;
    if (made >= requests) {
      const reason = `${allowed} are allowed, and ${made} were made`;
      return { tag: 'deny', val: { policy: NAME, reason, retryAfterMs: Math.max(reading.resetsInMs, 1) } };
    }
    if (adviseFrom !== undefined && made >= adviseFrom) {
      const suggestion = `with this, ${made + 1n} of ${allowed} are used: slow down`;
      return { tag: 'allow-with-advice', val: { policy: NAME, suggestion } };
    }
    return { tag: 'allow' };
  },
};
