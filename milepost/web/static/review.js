// Keeps what an expert types: on the server a second after the last key, on this device until the server has it.
// Without this script the page's buttons do the same.
"use strict";
(() => {
  const form = document.getElementById("review");
  const over = document.getElementById("unsent");
  if (!over) return;
  const mine = `milepost.review.${over.dataset.person}.${over.dataset.task}.`;
  const PAUSE = 1000, RETRY_LEAST = 2000, RETRY_MOST = 30000;

  // What this device keeps -----------------------------------------------------------------------------
  const device = {
    all() {
      const found = [];
      try {
        for (let i = 0; i < localStorage.length; i++) {
          const name = localStorage.key(i);
          if (name.startsWith(mine)) found.push([name, localStorage.getItem(name)]);
        }
      } catch { /* A browser that keeps nothing has nothing. */ }
      return found.map(([name, text]) => ({ name, text, entry: read(text) })).filter((e) => e.entry)
        .sort((a, b) => a.entry.at - b.entry.at);
    },
    keep(name, entry) { try { localStorage.setItem(name, JSON.stringify(entry)); return true; } catch { return false; } },
    drop(name, text) { try { if (text === undefined || localStorage.getItem(name) === text) localStorage.removeItem(name); } catch { /* Nothing was kept. */ } },
  };
  function read(text) { try { const e = JSON.parse(text); return e && typeof e.comment === "string" ? e : null; } catch { return null; } }

  if (!form) { showUnsent(); return; }

  const keeping = document.getElementById("keeping"), again = document.getElementById("again");
  const comment = form.elements.comment, address = form.dataset.draft, tab = form.elements.tab.value, own = mine + tab;
  let base = Number(form.elements.base.value), sequence = 0, dirty = false, other = false, kept = true;
  let timer = 0, retry = RETRY_LEAST, running = Promise.resolve();

  // The form ---------------------------------------------------------------------------------------------
  const criteria = [...form.querySelectorAll("[data-criterion]")];
  function scoreOf(criterion) {
    const fields = [...criterion.querySelectorAll("input")];
    const field = fields[0].type === "radio" ? fields.find((f) => f.checked) : fields[0];
    return field ? field.value : "";
  }
  function typed() {
    const scores = {};
    for (const c of criteria) { const score = scoreOf(c); if (score) scores[c.dataset.criterion] = score; }
    return { scores, comment: comment.value };
  }
  function same(a, b) { return JSON.stringify([a.scores, a.comment]) === JSON.stringify([b.scores, b.comment]); }
  function fill(content) {
    for (const c of criteria) {
      const score = content.scores[c.dataset.criterion] ?? "";
      for (const f of c.querySelectorAll("input")) { if (f.type === "radio") f.checked = f.value === score; else f.value = score; }
    }
    if (comment.value !== content.comment) comment.value = content.comment;
    tell();
  }

  // What it says while one types -------------------------------------------------------------------------
  const sum = document.getElementById("sum");
  function tell() {
    form.querySelector("[data-count]").textContent = ` · ${[...comment.value].length}`;
    let share = 0n, weights = 0n, whole = 1n, filled = 0, below = false;
    for (const c of criteria) whole *= BigInt(c.dataset.max);
    for (const c of criteria) {
      const text = scoreOf(c).normalize("NFKC").trim(), most = Number(c.dataset.max);
      const good = /^[0-9]{1,9}$/.test(text) && Number(text) <= most;
      c.querySelector("[data-range]").hidden = good || text === "" || c.querySelector("[role=alert]") !== null;
      weights += BigInt(c.dataset.weight);
      if (!good) continue;
      filled += 1;
      below = below || Number(text) < Number(c.dataset.threshold);
      share += BigInt(text) * BigInt(c.dataset.weight) * (whole / BigInt(most));
    }
    if (!criteria.length) return;
    const milli = String(share * 100000n / (weights * whole)).padStart(4, "0");
    sum.hidden = false;
    sum.querySelector("[data-sum]").textContent = `${milli.slice(0, -3)}.${milli.slice(-3, -1)}`;
    sum.querySelector("[data-filled]").textContent = `(${filled}/${criteria.length})`;
    sum.querySelector("[data-below]").hidden = !below;
  }
  function say(state, problem) {
    const shown = state === "offline" && !kept ? "unkept" : state === "saved" && other ? "other" : state;
    keeping.hidden = false;
    keeping.dataset.state = shown;
    for (const part of keeping.querySelectorAll("[data-say]")) part.hidden = part.dataset.say !== shown;
    if (problem) keeping.querySelector("[data-problem]").textContent = problem;
    if (shown === "saved") keeping.querySelector("[data-at]").textContent = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  }

  // Sending ----------------------------------------------------------------------------------------------
  function remember() { kept = device.keep(own, { base, tab, sequence, at: Date.now(), ...typed() }); }
  function body(entry, more) {
    const data = new FormData();
    const parts = { csrf: form.elements.csrf.value, base: entry.base, tab: entry.tab, sequence: entry.sequence, comment: entry.comment, ...more };
    for (const [name, value] of Object.entries(parts)) data.append(name, value);
    for (const [code, score] of Object.entries(entry.scores)) data.append(`scores.${code}`, score);
    return data;
  }
  function post(entry, more, keepalive = false) {
    return fetch(address, { method: "POST", body: body(entry, more), headers: { accept: "application/json" }, keepalive });
  }
  async function current() {
    const answer = await fetch(address, { headers: { accept: "application/json" } });
    if (!(answer.headers.get("content-type") || "").includes("json")) return null;
    const told = await answer.json();
    for (const field of document.querySelectorAll("input[name=csrf]")) field.value = told.csrf;
    return told;
  }
  async function send(entry, more) {
    const answer = await post(entry, more);
    // A new log-in has another token: what was typed goes on under it.
    return answer.status === 403 && (await current()) ? post(entry, more) : answer;
  }

  /** Save what stands in the form. True once the server has all of it and no other version was put aside. */
  function save(always = false) {
    clearTimeout(timer);
    return (running = running.then(() => attempt(always)));
  }
  async function attempt(always) {
    if (!dirty && !always) return true;
    sequence += 1;
    remember();
    const entry = { base, tab, sequence, ...typed() };
    if (keeping.hidden || ["saved", "other"].includes(keeping.dataset.state)) say("saving");
    let answer;
    try { answer = await send(entry, {}); } catch { say("offline"); return later(); }
    if (answer.status === 401) { say("login"); return false; }
    if (answer.status === 404) { say("closed"); return false; }
    if (answer.status === 422) { say("problem", (await answer.json()).problem); return false; }
    if (!answer.ok) { say("server"); return later(); }
    const told = await answer.json();
    base = told.revision;
    form.elements.base.value = base;
    retry = RETRY_LEAST;
    if (same(entry, typed())) { dirty = false; device.drop(own); } else remember();
    if (told.kept) { other = true; await refreshKept(); }
    say("saved");
    return !told.kept;
  }
  function later() {
    dirty = true;
    timer = setTimeout(save, retry);
    retry = Math.min(retry * 2, RETRY_MOST);
    return false;
  }
  async function refreshKept() {
    try {
      const page = new DOMParser().parseFromString(await (await fetch(location.pathname)).text(), "text/html");
      const fresh = page.getElementById("kept");
      if (fresh) document.getElementById("kept").replaceWith(document.adoptNode(fresh));
    } catch { /* It is shown with the next page; it is safe on the server. */ }
  }

  form.addEventListener("input", () => {
    dirty = true;
    remember();
    tell();
    clearTimeout(timer);
    timer = setTimeout(save, PAUSE);
  });
  document.addEventListener("visibilitychange", () => {
    if (!dirty) return;
    if (document.visibilityState === "visible") { save(); return; }
    // Perhaps the last moment of this page. What does not arrive is still kept on this device.
    sequence += 1;
    remember();
    post({ base, tab, sequence, ...typed() }, {}, true).catch(() => {});
  });
  window.addEventListener("online", () => { if (dirty) save(); });
  window.addEventListener("offline", () => { if (dirty) say("offline"); });

  // What leaves the page waits until all is saved -----------------------------------------------------------
  document.addEventListener("submit", async (event) => {
    const leaving = event.target;
    if (leaving === again || !(leaving === form || leaving.matches("[data-after-save]"))) return;
    event.preventDefault();
    const buttons = [...leaving.querySelectorAll("button")];
    for (const button of buttons) button.disabled = true;
    if (leaving === form) { other = false; }
    const saved = await save(true);
    if (saved && !(event.submitter && "save" in event.submitter.dataset)) leaving.submit();
    else for (const button of buttons) button.disabled = false;
  });
  window.addEventListener("pageshow", () => { for (const b of document.querySelectorAll("button:disabled")) b.disabled = false; });

  // Logging in without leaving ---------------------------------------------------------------------------
  again.addEventListener("submit", async (event) => {
    event.preventDefault();
    const problem = keeping.querySelector("[data-again-problem]");
    problem.hidden = true;
    try {
      const asked = await fetch(`/login?next=${encodeURIComponent(address)}`);
      const page = new DOMParser().parseFromString(await asked.text(), "text/html");
      const token = page.querySelector('form[action="/login"] input[name=csrf]');
      if (token) {
        const given = new URLSearchParams({ csrf: token.value, next: address, login: again.elements.login.value, password: again.elements.password.value });
        const answer = await fetch("/login", { method: "POST", body: given });
        if (!answer.ok) {
          const told = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".message.bad");
          problem.textContent = told ? told.textContent : String(answer.status);
          problem.hidden = false;
          return;
        }
      }
      again.elements.password.value = "";
      await current();
      save(true);
    } catch { say("offline"); later(); }
  });

  // What an earlier page left on this device ----------------------------------------------------------------
  async function replay() {
    const left = device.all().filter((e) => e.name !== own);
    if (!left.length) return;
    let aside = false;
    for (const { name, text, entry } of left) {
      try {
        const answer = await send(entry, { aside: "1" });
        if (!answer.ok) return;
        aside = (await answer.json()).kept || aside;
        device.drop(name, text);
      } catch { say("offline"); setTimeout(replay, retry); return; }
    }
    const told = await current();
    if (told && !dirty) { base = told.revision; form.elements.base.value = base; fill(told); }
    if (aside) { other = true; await refreshKept(); }
    say("saved");
  }
  tell();
  replay();

  function showUnsent() {
    const left = device.all();
    if (!left.length) return;
    over.hidden = false;
    over.querySelector("textarea").value = left.map((e) => [...Object.entries(e.entry.scores).map((s) => s.join(": ")), e.entry.comment].join("\n")).join("\n\n");
    over.querySelector("button").addEventListener("click", () => { for (const e of left) device.drop(e.name, e.text); over.hidden = true; });
  }
})();
