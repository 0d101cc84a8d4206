// Purser's pages: what a page gains where a script runs. It reads numbers as text and counts in BigInt, so
// that no amount ever is a float. It makes no element of text that comes from outside but through textContent.
(() => {
  "use strict";
  const root = document.documentElement;
  const MICROS = 1000000n;

  // The theme, before anything is shown.
  const stored = (() => { try { return localStorage.getItem("purser-theme"); } catch { return null; } })();
  if (stored === "light" || stored === "dark") root.dataset.theme = stored;

  const all = (selector, within = document) => Array.from(within.querySelectorAll(selector));
  const one = (selector, within = document) => within.querySelector(selector);

  // ---- Amounts

  const micros = (text) => {
    const match = /^(-?)(\d+)(?:\.(\d{1,6}))?$/.exec(text);
    if (!match) return null;
    const value = BigInt(match[2]) * MICROS + BigInt((match[3] || "").padEnd(6, "0"));
    return match[1] ? -value : value;
  };
  const whole = new Intl.NumberFormat();
  const point = (whole.formatToParts(1.5).find((part) => part.type === "decimal") || { value: "." }).value;
  const digit = new Intl.NumberFormat(undefined, { useGrouping: false });
  const digits = (text) => Array.from(text, (d) => digit.format(BigInt(d))).join("");
  const abs = (value) => (value < 0n ? -value : value);

  // The same rounding as the server's: half to even, and what is there is never shown as nothing.
  const shown = (text, code, signed) => {
    const value = micros(text);
    if (value === null) return text;
    const least = Number(code[0]), most = Number(code[1]);
    const unit = 10n ** BigInt(6 - most);
    const left = abs(value);
    let units = left / unit;
    const twice = (left % unit) * 2n;
    if (twice > unit || (twice === unit && units % 2n === 1n)) units += 1n;
    const sign = value < 0n ? "\u2212" : signed && value > 0n ? "+" : "";
    if (units === 0n && value !== 0n) return sign + "<" + digits("0") + point + digits("0".repeat(Math.max(most - 1, 0)) + "1");
    const rounded = units * unit;
    let fraction = (rounded % MICROS).toString().padStart(6, "0").replace(/0+$/, "").padEnd(least, "0");
    return sign + whole.format(rounded / MICROS) + (fraction ? point + digits(fraction) : "");
  };
  const writeAmount = (element) => {
    // What is not known has no value, and stays as it is written.
    if (!element.value) return;
    element.textContent = shown(element.value, element.dataset.d, "signed" in element.dataset);
    if (element.dataset.d !== "00") element.title = element.value;
  };
  const writeAmounts = (within) => all("data[data-d]", within).forEach(writeAmount);

  // ---- Times

  // Days are the account's own, as its usage and its renewals are cut; the hour is the viewer's.
  const form = (options) => new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", ...options });
  const dayForm = () => {
    const zone = one("[data-days-of]");
    try { return form({ year: "numeric", timeZone: zone ? zone.dataset.daysOf : undefined }); } catch { return form({ year: "numeric" }); }
  };
  const forms = {
    moment: form({ hour: "2-digit", minute: "2-digit" }),
    minute: form({ year: "numeric", hour: "2-digit", minute: "2-digit" }),
    date: null,
  };
  const writeTimes = (within) => all("time[data-t]", within).forEach((element) => {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.getTime())) return;
    // The year is said where it is not this one.
    const name = element.dataset.t === "moment" && at.getFullYear() !== new Date().getFullYear() ? "minute" : element.dataset.t;
    element.textContent = forms[name].format(at);
    element.title = element.dateTime;
  });

  // ---- The gauge: the same lengths as the server's (figures::lengths).

  const PARTS = ["consumed", "package_remaining", "purchased_remaining", "other_remaining", "held"];
  const drawGauge = (balance) => {
    const values = PARTS.map((name) => { const value = micros(balance[name]) || 0n; return value > 0n ? value : 0n; });
    const total = values.reduce((sum, value) => sum + value, 0n);
    const seen = BigInt(values.filter((value) => value > 0n).length);
    const least = 12n, gap = seen > 1n ? 5n : 0n, free = 1000n - seen * least;
    const end = (sum) => (total ? (2n * sum * free + total) / (2n * total) : 0n);
    let sum = 0n, start = 0n;
    PARTS.forEach((name, index) => {
      const from = end(sum);
      sum += values[index];
      const length = values[index] ? end(sum) - from + least : 0n;
      const drawn = length > gap ? length - gap : 0n;
      const arc = one(`[data-arc="${name}"]`);
      if (arc) {
        arc.setAttribute("stroke-dasharray", `${drawn} ${1000n - drawn}`);
        arc.setAttribute("stroke-dashoffset", `${-start}`);
        arc.setAttribute("visibility", drawn ? "visible" : "hidden");
      }
      start += length;
    });
    const tenths = total ? (values[0] * 1000n) / total : 0n;
    const share = tenths === 0n && values[0] ? "<0.1%" : tenths === 0n ? "0%" : tenths === 1000n ? "100%" : `${tenths / 10n}.${tenths % 10n}%`;
    const text = one("[data-share]");
    if (text) text.textContent = share;
    const title = one("#gauge-title");
    if (title) title.textContent = `${share} of the credits of this cycle are used`;
    return total ? (values[0] * 10000n) / total : 0n;
  };

  // ---- Live numbers

  let saidAt = 0, waiting = null;
  // Said at most every few seconds, since an account at work changes more often than anybody can listen.
  const say = (text) => {
    const said = one("[data-said]");
    if (!said) return;
    const wait = saidAt + 10000 - Date.now();
    clearTimeout(waiting);
    waiting = setTimeout(() => { saidAt = Date.now(); said.textContent = text; }, Math.max(wait, 0));
  };

  // What is left, at the present rate: in the words of the server's.
  const forecast = (balance) => {
    const place = one("[data-forecast]");
    if (!place) return;
    const fact = one(".fact", place), meaning = one(".meaning", place);
    const end = (balance.forecast || {}).runs_out_at, renewal = (balance.cycle || {}).end;
    const isShort = Boolean(end && renewal) && Date.parse(end) < Date.parse(renewal);
    const isOut = (micros(balance.remaining) || 0n) <= 0n;
    if (!isOut && !end) return;
    const day = end ? forms.date.format(new Date(end)) : "";
    fact.textContent = isOut ? "nothing is left" : isShort ? "runs out before the renewal" : "lasts beyond the renewal";
    meaning.textContent = isOut ? "until credits are added" : isShort ? `about ${day}` : `until ${day}`;
    place.classList.toggle("short", isShort || isOut);
  };

  const takeBalance = (message, low) => {
    const balance = {
      ...message,
      daily_average: (message.forecast || {}).daily_average,
      next_expiry: (message.next_expiry || { credits: "0" }).credits,
    };
    all("data[data-live]").forEach((element) => {
      const value = balance[element.dataset.live];
      if (typeof value !== "string" || value === element.value) return;
      element.value = value;
      writeAmount(element);
      element.classList.remove("changed");
      void element.offsetWidth;
      element.classList.add("changed");
    });
    const used = drawGauge(balance);
    forecast(balance);
    for (const name of ["other_remaining", "held", "overage"]) {
      const part = one(`[data-part="${name}"]`);
      if (part && typeof balance[name] === "string") part.hidden = micros(balance[name]) === 0n;
    }
    const remaining = micros(balance.remaining) || 0n, spendable = micros(balance.spendable) || 0n;
    const standing = spendable <= 0n ? "exhausted" : remaining <= 0n ? "overdrawn" : used >= low ? "low" : "";
    all("[data-banner]").forEach((banner) => { banner.hidden = banner.dataset.banner !== standing; });
    const stand = one("[data-stand]");
    if (stand) stand.classList.toggle("spent", standing === "exhausted");
    say(`${shown(balance.remaining, "02")} credits remaining, ${shown(balance.consumed, "02")} consumed`);
  };

  const human = (word) => { const text = String(word).replace(/_/g, " "); return text.charAt(0).toUpperCase() + text.slice(1); };
  const ROWS_MAX = 100;

  const takeEntry = (entry) => {
    const template = one("template[data-row]"), body = one("table[data-log] > tbody");
    if (!template || !body || one(`[data-sequence="${Number(entry.sequence)}"]`, body)) return;
    const row = template.content.cloneNode(true);
    const slot = (name) => one(`[data-slot="${name}"]`, row);
    const names = [entry.model, entry.agent].filter((name) => typeof name === "string");
    one("tr", row).dataset.sequence = String(Number(entry.sequence));
    slot("at").dateTime = entry.at;
    slot("icon").setAttribute("href", "#i-" + (entry.activity ? ({ chat: "chat", voice: "voice" })[entry.kind] || "other" : "ledger"));
    slot("title").textContent = human(entry.activity || entry.type);
    slot("sub").textContent = names.join(" · ");
    slot("model").textContent = entry.model || "–";
    slot("agent").textContent = entry.agent || "–";
    slot("credits").value = entry.credits;
    if ((micros(entry.credits) || 0n) > 0n) slot("credits").classList.add("plus");
    slot("label").textContent = "Details of " + entry.id;
    const facts = Object.entries(entry.usage || {}).map(([unit, quantity]) => [human(unit), String(quantity)]);
    for (const draw of entry.grants || []) facts.push(["Grant", `${shown(draw.credits, "26")} ${draw.grant}`]);
    for (const [name, value] of Object.entries(entry.details || {})) facts.push([human(name), typeof value === "string" ? value : JSON.stringify(value)]);
    facts.push(["Entry", `${entry.id}, no. ${entry.sequence}`], ["Hash", String(entry.hash)]);
    for (const [name, value] of facts) {
      const line = document.createElement("div");
      line.append(document.createElement("dt"), document.createElement("dd"));
      line.firstChild.textContent = name;
      line.lastChild.textContent = value;
      slot("facts").append(line);
    }
    writeTimes(row);
    writeAmounts(row);
    body.prepend(row);
    while (body.rows.length > 2 * ROWS_MAX) body.lastElementChild.remove();
    body.parentElement.hidden = false;
    const empty = one("[data-empty]");
    if (empty) empty.remove();
  };

  const listen = () => {
    const place = one("[data-events]");
    if (!place || !window.EventSource) return;
    const low = BigInt(place.dataset.low || "10000");
    const state = one("[data-live-state]");
    const live = (is, text) => {
      if (!state) return;
      state.hidden = false;
      state.classList.toggle("is-live", is);
      state.firstElementChild.textContent = text;
    };
    const source = new EventSource(place.dataset.events);
    const on = (name, take) => source.addEventListener(name, (event) => {
      try { take(JSON.parse(event.data)); } catch (error) { console.error(error); }
    });
    source.addEventListener("open", () => live(true, "Live"));
    source.addEventListener("error", () => live(false, source.readyState === EventSource.CLOSED ? "Not live: load the page anew" : "Connecting…"));
    on("balance", (balance) => takeBalance(balance, low));
    on("entry", takeEntry);
    on("dropped", (why) => {
      if (why.reason !== "key-ended") return;
      source.close();
      live(false, "This link has ended");
    });
    // A page that is put away must not hold a connection.
    addEventListener("pagehide", () => source.close());
  };

  // ---- The chart: what a bar says, where the pointer is, at once and not after a second.

  const pointAtBars = () => all("[data-chart]").forEach((chart) => {
    const tip = document.createElement("div");
    tip.className = "tip";
    tip.hidden = true;
    tip.setAttribute("aria-hidden", "true");
    chart.append(tip);
    // What a bar is made of is in the table, whose rows have the newest first.
    const table = one("table", chart.parentElement);
    const names = all("thead th", table).slice(1, -1).map((cell) => cell.textContent);
    const rows = all("tbody tr", table).reverse();
    all(".hit", chart).forEach((hit, index) => {
      const title = one("title", hit), row = rows[index];
      const parts = row ? all("td", row).slice(0, -1).map((cell) => cell.textContent) : [];
      const lines = parts.map((part, series) => `${part}  ${names[series]}`).filter((_, series) => parts[series] !== "–");
      hit.tip = [title.textContent, ...lines.reverse()].join("\n");
      title.remove();
    });
    const svg = one(".plot > svg", chart);
    svg.addEventListener("pointermove", (event) => {
      const text = event.target.tip;
      tip.hidden = !text;
      if (!text) return;
      if (tip.textContent !== text) tip.textContent = text;
      const box = chart.getBoundingClientRect(), bar = event.target.getBoundingClientRect();
      const beside = bar.right - box.left + 10;
      const left = beside + tip.offsetWidth > box.width ? bar.left - box.left - tip.offsetWidth - 10 : beside;
      tip.style.transform = `translate(${Math.round(Math.max(left, 0))}px, ${Math.round(Math.max(event.clientY - box.top - tip.offsetHeight - 12, 0))}px)`;
    });
    svg.addEventListener("pointerleave", () => { tip.hidden = true; });
  });

  // ---- Purchases

  const askBeforeBuying = () => {
    const dialog = one("#confirm");
    if (!dialog || !dialog.showModal) return;
    all("a[data-buy]").forEach((link) => link.addEventListener("click", (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      one('[data-slot="credits"]', dialog).textContent = shown(link.dataset.credits, "02");
      one('[data-slot="price"]', dialog).textContent = link.dataset.price;
      one('[data-slot="pack"]', dialog).value = link.dataset.pack;
      dialog.showModal();
    }));
    one("[data-close]", dialog).addEventListener("click", () => dialog.close());
  };

  const addUp = () => all("form[data-price]").forEach((form) => {
    const input = one("input", form), total = one("[data-total]", form);
    const price = micros(form.dataset.price), places = Number(form.dataset.decimals);
    // The server's way of writing no money at all, of which the digits are replaced.
    const write = (text) => form.dataset.money.replace(/[\d.,]+/, text);
    const show = () => {
      const credits = /^\d{1,13}$/.test(input.value) && input.validity.valid ? BigInt(input.value) : 0n;
      const code = `${places}${places}`;
      const value = credits * price;
      const text = `${value / MICROS}.${(value % MICROS).toString().padStart(6, "0")}`;
      total.textContent = credits ? write(shown(text, code)) : "";
    };
    input.addEventListener("input", show);
    show();
  });

  // Forms may come later, and others may keep one from being sent.
  const once = () => document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post") return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "1";
  });

  const chooseTheme = () => {
    const select = one("#theme");
    if (!select) return;
    select.value = root.dataset.theme || "";
    select.parentElement.hidden = false;
    select.addEventListener("change", () => {
      if (select.value) root.dataset.theme = select.value; else delete root.dataset.theme;
      try { localStorage.setItem("purser-theme", select.value); } catch { /* It counts for this page. */ }
    });
  };

  // What another script of the same pages may use.
  window.purser = Object.freeze({ all, one, writeAmount, writeAmounts, writeTimes });

  document.addEventListener("DOMContentLoaded", () => {
    forms.date = dayForm();
    writeAmounts(document);
    writeTimes(document);
    const zone = one("[data-zone]");
    if (zone) zone.textContent = Intl.DateTimeFormat().resolvedOptions().timeZone || "your time zone";
    chooseTheme();
    pointAtBars();
    askBeforeBuying();
    addUp();
    once();
    all(".filters select").forEach((select) => select.addEventListener("change", () => select.form.requestSubmit()));
    all("[data-print]").forEach((button) => { button.hidden = false; button.addEventListener("click", () => print()); });
    listen();
  });
  // One that is taken out again has old numbers, and forms that are sent already.
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
})();
