// What the operator's pages gain where a script runs, besides what page.js does: numbers that move, lists that are fresh,
// and a question before what cannot be taken back lightly. Text from outside is set as text; what is fetched as a page is
// one of the server's own, whose escaping counts.
(() => {
  "use strict";
  const { all, one, writeAmount, writeAmounts, writeTimes } = window.purser;

  // ---- How long something has gone on, in the words of the server's (parts::duration).

  const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const duration = (seconds) => {
    const first = UNITS.findIndex(([size]) => seconds >= size);
    if (first < 0) return "0 s";
    const [size, name] = UNITS[first], next = UNITS[first + 1];
    const head = `${Math.floor(seconds / size)} ${name}`, rest = seconds % size;
    return next && rest >= next[0] ? `${head} ${Math.floor(rest / next[0])} ${next[1]}` : head;
  };
  // The server's clock counts, as the page has it: the viewer's may be wrong.
  let behind_ms = 0;
  const tick = () => all("[data-since]").forEach((element) => {
    const text = duration(Math.max(0, Math.floor((Date.now() - behind_ms - Date.parse(element.dataset.since)) / 1000)));
    if (element.textContent !== text) element.textContent = text;
  });

  // ---- The line of what came of late: the same points as the server's (chart::spark).

  const WIDTH = 600, HEIGHT = 100, EDGE = 4;
  const drawLine = (svg, values) => {
    const most = Number(svg.dataset.most), shown = values.slice(-most);
    svg.dataset.values = shown.join(" ");
    if (shown.length < 2) return;
    const top = Math.max(1, ...shown), from = most - shown.length;
    const x = (index) => Math.floor(((from + index) * WIDTH) / Math.max(most - 1, 1));
    const line = shown.map((value, index) => `${x(index)},${HEIGHT - EDGE - Math.floor((value * (HEIGHT - 2 * EDGE)) / top)}`).join(" ");
    one(".line", svg).setAttribute("points", line);
    one(".under", svg).setAttribute("points", `${x(0)},${HEIGHT} ${line} ${WIDTH},${HEIGHT}`);
  };

  // ---- Live numbers

  const setInstant = (place, at, since) => {
    const fact = one(".fact", place), meaning = one(".meaning", place);
    const age = document.createElement("span"), time = document.createElement("time");
    age.dataset.since = at;
    time.dateTime = at;
    time.dataset.t = "moment";
    fact.replaceChildren(age, since ? "" : " ago");
    meaning.replaceChildren(since ? "since " : "", time);
    writeTimes(meaning);
  };
  const take = (numbers) => {
    all("[data-live]").forEach((element) => {
      const name = element.dataset.live, value = numbers[name];
      if (value === undefined) return;
      if (name === "ready") {
        const tag = one(".tag", element);
        tag.textContent = value ? element.dataset.yes : element.dataset.no;
        tag.className = value ? "tag good" : "tag bad";
      } else if (name === "last_checkpoint" || name === "started_at") {
        if (typeof value === "string") setInstant(element, value, name === "started_at");
      } else if (element.tagName === "DATA") {
        if (value === null) {
          element.value = "";
          element.textContent = "–";
        } else if (String(value) !== element.value) {
          element.value = String(value);
          writeAmount(element);
        }
      } else {
        element.textContent = String(value);
      }
    });
    const line = one('[data-spark="charges_per_second"]'), rate = Math.round(Number(numbers.charges_per_second) * 1000);
    if (line && Number.isFinite(rate)) drawLine(line, [...line.dataset.values.split(" ").filter(Boolean).map(Number), rate]);
    tick();
  };

  // Again and again while somebody looks, and never twice at once.
  const repeat = (every_ms, once) => {
    const later = () => setTimeout(async () => {
      if (!document.hidden && !(await once())) return;
      later();
    }, every_ms);
    later();
  };
  const liveNumbers = () => {
    const place = one("[data-live-url]");
    if (!place) return;
    const state = one("[data-live-state]");
    const say = (is, text) => {
      place.classList.toggle("stale", !is);
      if (!state) return;
      state.hidden = false;
      state.classList.toggle("is-live", is);
      state.firstElementChild.textContent = text;
    };
    say(true, "Live");
    repeat(Number(place.dataset.everyMs), async () => {
      try {
        const answer = await fetch(place.dataset.liveUrl, { headers: { accept: "application/json" }, cache: "no-store" });
        if (answer.status === 401 || answer.status === 403 || answer.redirected) {
          say(false, "Not live: sign in again");
          return false;
        }
        if (!answer.ok) throw new Error(`the answer is ${answer.status}`);
        take(await answer.json());
        say(true, "Live");
      } catch (error) {
        console.error(error);
        say(false, "Not live: the server does not answer");
      }
      return true;
    });
  };

  // ---- Lists that are fresh: the same page again, of which parts are put in place of the old. A part that somebody is
  // in, or has unfolded something of, stays as it is. It ends once no part says how often.

  const freshLists = () => {
    const moving = (within) => all("[data-refresh][data-every-ms]", within);
    if (!moving().length) return;
    repeat(Math.min(...moving().map((part) => Number(part.dataset.everyMs))), async () => {
      try {
        const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
        // Whoever is signed out is led elsewhere.
        if (answer.redirected || answer.status === 401 || answer.status === 403) return false;
        if (!answer.ok) throw new Error(`the answer is ${answer.status}`);
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const part of all("[data-refresh]", page)) {
          const old = all("[data-refresh]").find((other) => other.dataset.refresh === part.dataset.refresh);
          if (!old || old.contains(document.activeElement) || one("details[open]", old)) continue;
          const fresh = document.importNode(part, true);
          writeAmounts(fresh);
          writeTimes(fresh);
          old.replaceWith(fresh);
        }
        const asOf = one("footer time");
        asOf.dateTime = one("footer time", page).dateTime;
        writeTimes(asOf.parentElement);
      } catch (error) {
        console.error(error);
      }
      return moving().length > 0;
    });
  };

  // ---- The question before a form is sent. It listens first of all, so that nothing takes the form for sent.

  const ask = () => {
    const dialog = one("#question");
    if (!dialog || !dialog.showModal) return;
    let asked = null;
    document.addEventListener("submit", (event) => {
      const form = event.target;
      if (!("ask" in form.dataset) || one('input[name="confirmed"]', form)) return;
      event.preventDefault();
      asked = form;
      one('[data-slot="title"]', dialog).textContent = form.dataset.ask;
      one('[data-slot="text"]', dialog).textContent = form.dataset.askText;
      one('[data-slot="verb"]', dialog).textContent = form.dataset.askVerb;
      dialog.showModal();
    }, true);
    one("[data-close]", dialog).addEventListener("click", () => dialog.close());
    one("[data-go]", dialog).addEventListener("click", () => {
      const confirmed = document.createElement("input");
      confirmed.type = "hidden";
      confirmed.name = "confirmed";
      confirmed.value = "yes";
      asked.append(confirmed);
      dialog.close();
      asked.requestSubmit();
    });
  };

  // What an address leads to is unfolded.
  const unfold = () => {
    const place = location.hash.length > 1 ? document.getElementById(location.hash.slice(1)) : null;
    if (place && place.tagName === "DETAILS") place.open = true;
  };
  // A share needs to say how much, and nothing else may.
  const shares = () => all("[data-modes]").forEach((modes) => {
    const percent = one('[name="share_percent"]', modes);
    const follow = () => {
      const is = one('[value="share"]', modes).checked;
      percent.required = is;
      percent.disabled = !is;
    };
    modes.addEventListener("change", follow);
    follow();
  });

  document.addEventListener("DOMContentLoaded", () => {
    behind_ms = Date.now() - Date.parse(one("footer time").dateTime);
    ask();
    unfold();
    addEventListener("hashchange", unfold);
    shares();
    liveNumbers();
    freshLists();
    tick();
    if (one("[data-since]")) setInterval(tick, 1000);
    const current = one("header.top nav [aria-current]");
    if (current) current.scrollIntoView({ block: "nearest", inline: "center" });
  });
})();
