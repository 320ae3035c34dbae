// The page of one node. It asks for the whole (/stats, /members), listens to what changes (/events), and says so when it
// hears nothing. Whatever comes from outside is shown as text, never as markup.
"use strict";
const byId = id => document.getElementById(id);
const make = (tag, text, kind) => {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
};
const history = 60, shownEvents = 300, shownEndpoints = 12;
const state = { members: new Map(), stats: null, before: null, at: 0, events: new Map(), covers: 600, selected: null,
  words: "", open: new Set(), sparks: new Map(), cells: new Map() };
let token = sessionStorage.getItem("remora-token");

// Asking

async function ask(path) {
  const answer = await fetch(path, { headers: token ? { Authorization: `Bearer ${token}` } : {}, cache: "no-store" });
  if (answer.status === 401) throw Object.assign(new Error("token"), { status: 401 });
  return answer;
}
const json = async path => {
  const answer = await ask(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
};
const pause = ms => new Promise(done => setTimeout(done, ms));

async function listen() {
  for (;;) {
    try {
      const answer = await ask("/events");
      if (!answer.ok) throw new Error("events");
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      await catchUp();
      say("link", "live", "good");
      let text = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        text += value;
        const parts = text.split("\n\n");
        text = parts.pop();
        for (const part of parts) hear(part);
        soon();
      }
    } catch (fault) {
      if (fault.status === 401) return;
    }
    say("link", "no live events; trying again", "warn");
    await pause(2000);
  }
}

function hear(part) {
  const fields = {};
  for (const line of part.split("\n")) {
    const colon = line.indexOf(": ");
    if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 2);
  }
  if (fields.data) note(Number(fields.id), fields.event, JSON.parse(fields.data), Date.now());
}

// What is told later than the whole was asked for is newer than it.
async function catchUp() {
  const [members, recent] = await Promise.all([json("/members"), json("/events?recent")]);
  state.members = new Map(members.members.map(member => [member.name, member]));
  for (const member of state.members.values()) member.seen = Date.now();
  state.covers = recent.covers_seconds;
  state.events.clear();
  for (const event of recent.events) keep(event.number, event.event, event.data, Date.now() - event.ago_seconds * 1000);
  await refresh();
}

function keep(number, name, data, time) {
  state.events.set(number, { name, data, time });
  for (const [old, event] of state.events) {
    if (event.time > Date.now() - 600000 && state.events.size <= 1024) break;
    state.events.delete(old);
  }
}

function note(number, name, data, time) {
  keep(number, name, data, time);
  if (name === "member") state.members.set(data.name, { ...data, seen: Date.now() });
  if (name !== "endpoint" || !state.stats) return;
  for (const upstream of state.stats.upstreams) {
    if (upstream.name !== data.upstream) continue;
    for (const endpoint of upstream.endpoints) {
      if (endpoint.address === data.address && endpoint.member === data.member && data.state)
        [endpoint.state, endpoint.reason] = [data.state, data.reason];
    }
  }
}

async function refresh() {
  const [stats, ready] = await Promise.all([json("/stats"), ask("/ready")]);
  const line = (await ready.text()).trim();
  [state.before, state.stats] = [state.stats, stats];
  state.span = Math.max(.1, stats.uptime_seconds - (state.before ? state.before.uptime_seconds : stats.uptime_seconds));
  for (const upstream of stats.upstreams) measure(upstream);
  say("ready", ready.ok ? "ready" : line, ready.ok ? "good" : "bad", "pill");
  // Behind "ready" stands what an operator should know; where something else does, it leaves that out.
  const notes = [ready.ok ? line.replace(/^ready(; )?/, "") : line];
  if (!ready.ok && stats.roster?.is_stale) notes.push(stats.roster.standing);
  if (!ready.ok && stats.config?.fault) notes.push(`the last reload was refused: ${stats.config.fault}`);
  if (byId("notes").innerText !== notes.join("\n"))
    byId("notes").replaceChildren(...notes.filter(Boolean).map(text => make("p", text)));
  draw();
}

async function poll() {
  for (;;) {
    const many = state.stats && state.stats.upstreams.reduce((sum, upstream) => sum + upstream.endpoints.length, 0) > 500;
    await pause(many ? 5000 : 2000);
    if (document.hidden) continue;
    try { await refresh(); } catch (fault) {
      if (fault.status === 401) return enter();
      say("ready", "does not answer", "bad", "pill");
    }
  }
}

// Numbers

const earlier = (list, match) => (list || []).find(match);
const rate = (now, before, key) => before ? Math.max(0, now[key] - before[key]) / state.span : 0;
const count = value => value >= 1e6 ? `${(value / 1e6).toFixed(1)}M` : value >= 1e4 ? `${(value / 1e3).toFixed(1)}k`
  : value >= 10 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1);
const bytes = value => {
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (value < 1024) return `${value < 10 && unit !== "B" ? value.toFixed(1) : Math.round(value)} ${unit}`;
    value /= 1024;
  }
  return `${value.toFixed(1)} TiB`;
};
const time = seconds => seconds < .001 ? `${Math.round(seconds * 1e6)} µs` : seconds < 1 ? `${(seconds * 1e3).toPrecision(3)} ms`
  : seconds < 120 ? `${seconds.toPrecision(3)} s` : seconds < 7200 ? `${Math.round(seconds / 60)} min`
  : seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} d`;

// Of the answers since the last look: buckets double from 125 µs, and within one a quantile lies in proportion.
function quantile(buckets, fraction) {
  const total = buckets.reduce((sum, each) => sum + each, 0);
  if (!total) return null;
  let seen = 0;
  for (let index = 0; index < buckets.length; index++) {
    if (buckets[index] && seen + buckets[index] >= fraction * total) {
      const low = index ? 125e-6 * 2 ** (index - 1) : 0, high = 125e-6 * 2 ** index;
      return low + (high - low) * (fraction * total - seen) / buckets[index];
    }
    seen += buckets[index];
  }
  return null;
}

function measure(upstream) {
  const before = state.before && earlier(state.before.upstreams, other => other.name === upstream.name);
  if (!before || !upstream.first_byte_seconds.buckets) return;
  const old = before.first_byte_seconds.buckets;
  const since = upstream.first_byte_seconds.buckets.map((each, index) => Math.max(0, each - old[index]));
  const line = state.sparks.get(upstream.name) || [];
  line.push([quantile(since, .5), quantile(since, .99)]);
  state.sparks.set(upstream.name, line.slice(-history));
}

// Drawing

function say(id, text, kind, also) {
  const shown = byId(id);
  if (shown.textContent !== text) shown.textContent = text;
  shown.className = [kind, also].filter(Boolean).join(" ");
}
let drawing = false;
function soon() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => { drawing = false; if (state.stats) draw(); });
}
const matches = (...texts) => !state.words || texts.join(" ").toLowerCase().includes(state.words);
const tone = word => ({ fit: "good", alive: "good", passing: "good", listening: "good", suspect: "warn", draining: "warn",
  full: "warn", paused: "warn", left: "gone", unlisted: "gone", ok: "good", expiring: "warn" })[word] || "bad";

function draw() {
  const stats = state.stats;
  byId("node").textContent = stats.node;
  document.title = `${stats.node} · remora`;
  byId("version").textContent = `remora ${stats.version}, up ${time(stats.uptime_seconds)}`;
  byId("content").hidden = false;
  drawFleet();
  drawUpstreams();
  drawListeners();
  drawEvents();
}

function drawFleet() {
  const view = state.stats.membership, loads = new Map(), ill = new Set();
  for (const upstream of state.stats.upstreams) {
    for (const endpoint of upstream.endpoints) {
      if (!endpoint.member) continue;
      loads.set(endpoint.member, Math.max(loads.get(endpoint.member) || 0, endpoint.fleet_outstanding ?? endpoint.outstanding));
      if (["failing", "ejected", "unlisted"].includes(endpoint.state)) ill.add(endpoint.member);
    }
  }
  byId("summary").textContent = view
    ? `${view.alive} alive, ${view.suspect} suspect, ${view.dead} dead, ${view.left} left · view ${view.view_checksum} · local health ${view.health_score} (0 is well)`
      + (view.last_known_good ? " · the view is not believed: an older one is in force" : "")
    : "This node is a member of nothing: its upstreams are those of its config.";
  say("agreement", view ? view.agreement.sentence : "", view && view.agreement.differing.some(each => each.seconds > 15) ? "warn" : "muted");
  const heaviest = Math.max(1, ...loads.values()), zones = new Map();
  for (const member of [...state.members.values()].sort((a, b) => a.name < b.name ? -1 : 1)) {
    const zone = member.zone || "no zone";
    if (!zones.has(zone)) zones.set(zone, []);
    zones.get(zone).push(member);
  }
  const fleet = byId("fleet"), key = [...zones].map(([zone, list]) => zone + "\n" + list.map(each => each.name)).join("\n\n");
  fleet.classList.toggle("many", state.members.size > 400);
  if (fleet.dataset.key !== key) {
    const focused = document.activeElement && document.activeElement.dataset.name;
    state.cells.clear();
    fleet.replaceChildren(...[...zones].sort().flatMap(([zone, list]) => {
      const grid = make("div", undefined, "grid");
      grid.setAttribute("role", "group");
      grid.setAttribute("aria-label", `Members in ${zone}`);
      for (const member of list) {
        const tile = make("button", undefined, "tile");
        tile.type = "button";
        tile.dataset.name = member.name;
        tile.tabIndex = state.cells.size ? -1 : 0;
        tile.append(make("i"), make("b"));
        state.cells.set(member.name, tile);
        grid.append(tile);
      }
      return [make("h3", `${zone} · ${list.length}`), grid];
    }));
    fleet.dataset.key = key;
    if (focused && state.cells.has(focused)) focus(state.cells.get(focused));
  }
  for (const [name, tile] of state.cells) {
    const member = state.members.get(name), load = loads.get(name);
    const health = ill.has(name) ? "ill" : "well";
    const label = `${name}, ${member.state}${health === "ill" ? ", an endpoint is unfit" : ""}${load === undefined ? "" : `, load ${load}`}`;
    const pressed = String(state.selected === name);
    tile.classList.toggle("dim", !matches(name, member.zone, member.state, ...Object.entries(member.tags).map(tag => tag.join("="))));
    if (tile.getAttribute("aria-pressed") !== pressed) tile.setAttribute("aria-pressed", pressed);
    if (tile.title === label) continue;
    tile.title = label;
    tile.setAttribute("aria-label", label);
    tile.dataset.state = member.state;
    tile.dataset.health = health;
    tile.lastChild.textContent = { dead: "×", suspect: "?" }[member.state] || (health === "ill" ? "!" : "");
    tile.firstChild.style.height = `${load === undefined ? 0 : 15 + 85 * load / heaviest}%`;
  }
  drawMember();
}

function drawMember() {
  const card = byId("member"), member = state.members.get(state.selected);
  card.hidden = !member;
  if (!member) return;
  const list = make("dl"), add = (name, value) => list.append(make("dt", name), make("dd", value));
  add("State", `${member.state} for ${time(member.since_seconds + (Date.now() - member.seen) / 1000)}, incarnation ${member.incarnation}`);
  if (member.reason) add("Why", member.reason);
  add("Address", member.address);
  add("Zone", member.zone || "none");
  add("Speaks", member.remora ? "remora" : "Serf or memberlist");
  if (member.listed !== null) add("Roster", member.listed ? "lists it" : "does not list it");
  for (const upstream of state.stats.upstreams) {
    for (const endpoint of upstream.endpoints) {
      if (endpoint.member === member.name) add(upstream.name, `${endpoint.address} is ${endpoint.state}: ${endpoint.reason}`);
    }
  }
  add("Tags", Object.entries(member.tags).map(tag => tag.join("=")).join(", ") || "none");
  const text = list.textContent;
  if (card.dataset.text === member.name + text) return;
  card.dataset.text = member.name + text;
  card.replaceChildren(make("b", member.name), list);
}

function table(columns, rows) {
  const made = make("table"), head = make("tr");
  for (const [title, kind] of columns) {
    const cell = make("th", title, kind);
    cell.scope = "col";
    head.append(cell);
  }
  made.append(make("thead"), make("tbody"));
  made.firstChild.append(head);
  for (const row of rows) {
    const line = make("tr");
    row.forEach((value, index) => line.append(make("td", String(value ?? "–"),
      [columns[index][1], columns[index][2] && columns[index][2](value)].filter(Boolean).join(" "))));
    made.lastChild.append(line);
  }
  return made;
}

function spark(label, values) {
  const box = make("div", undefined, "spark"), known = values.filter(value => value !== null);
  const drawn = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  drawn.setAttribute("viewBox", `0 0 ${history - 1} 10`);
  drawn.setAttribute("preserveAspectRatio", "none");
  drawn.setAttribute("aria-hidden", "true");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline"), highest = Math.max(...known, 1e-9);
  line.setAttribute("points", values.map((value, index) => value === null ? null
    : `${history - values.length + index},${9.5 - 7.5 * value / highest}`).filter(Boolean).join(" "));
  drawn.append(line);
  box.append(make("span", label, "muted"), drawn, make("b", known.length ? time(known.at(-1)) : "–"));
  return box;
}

const badness = ["ejected", "failing", "dead", "suspect", "full", "draining", "unlisted", "left", "fit"];
function drawUpstreams() {
  const columns = [["State", "t", tone], ["Endpoint", "t"], ["Member", "t"], ["Zone", "t wide"], ["Weight", "wide"], ["Outstanding"],
    ["Fleet's"], ["Answers in", "wide"], ["Connections"], ["New/s"], ["Failures"], ["In/s", "wide"], ["Out/s", "wide"], ["Why", "why"]];
  const cards = state.stats.upstreams.map(upstream => {
    const before = state.before && earlier(state.before.upstreams, other => other.name === upstream.name);
    const old = new Map((before ? before.endpoints : []).map(each => [`${each.address} ${each.member}`, each]));
    const found = upstream.endpoints.filter(each => matches(each.address, each.member, each.zone, each.state, upstream.name))
      .sort((a, b) => badness.indexOf(a.state) - badness.indexOf(b.state) || (a.address < b.address ? -1 : 1));
    const shown = state.open.has(upstream.name) ? found : found.slice(0, shownEndpoints);
    const fit = upstream.endpoints.filter(each => each.state === "fit").length;
    const card = make("article", undefined, "card"), title = make("div", undefined, "title");
    title.append(make("b", upstream.name), make("span", `${fit} of ${upstream.endpoints.length} fit`, fit ? "good" : "bad"),
      make("span", `${upstream.balance}, load ${upstream.load}, ${count(upstream.retries_total)} retries`, "muted"));
    const line = state.sparks.get(upstream.name) || [], sparks = make("div", undefined, "sparks");
    sparks.append(spark("first byte p50", line.map(each => each[0])), spark("p99", line.map(each => each[1])));
    const rows = shown.map(each => {
      const then = old.get(`${each.address} ${each.member}`);
      return [each.state, each.address, each.member, each.zone, each.weight, each.outstanding, each.fleet_outstanding,
        each.fleet_answer_seconds == null ? null : time(each.fleet_answer_seconds),
        each.connections, count(rate(each, then, "connections_total")), count(each.failures_total),
        bytes(rate(each, then, "received_bytes_total")), bytes(rate(each, then, "sent_bytes_total")), each.reason];
    });
    const scroll = make("div", undefined, "scroll");
    scroll.append(table(columns, rows));
    card.append(title, sparks);
    const picks = upstream.probes;
    if (picks && picks.fleet_picks_total + picks.local_picks_total) card.append(make("p",
      `${count(picks.fleet_picks_total)} connections by the fleet's load, ${time(picks.mean_age_seconds)} old on the average; ${count(picks.local_picks_total)} by own counts`, "muted"));
    card.append(scroll);
    if (found.length > shownEndpoints) {
      const more = make("button", state.open.has(upstream.name) ? "Show the worst" : `Show all ${found.length}`);
      more.type = "button";
      more.dataset.upstream = upstream.name;
      card.append(more);
    }
    return card;
  });
  const focused = document.activeElement && document.activeElement.dataset.upstream;
  byId("upstreams").replaceChildren(...cards);
  if (focused) for (const button of byId("upstreams").querySelectorAll("button"))
    if (button.dataset.upstream === focused) button.focus({ preventScroll: true });
}

function drawListeners() {
  const columns = [["State", "t", tone], ["Listener", "t"], ["Address", "t"], ["Upstream", "t"], ["Connections"], ["New/s"],
    ["Refused"], ["Aborted"], ["In/s", "wide"], ["Out/s", "wide"]];
  byId("listeners").replaceChildren(table(columns, state.stats.listeners.map(each => {
    const then = state.before && earlier(state.before.listeners, other => other.name === each.name);
    return [each.state, each.name, each.address, each.upstream, each.connections, count(rate(each, then, "connections_total")),
      count(each.refused_total), count(each.aborted_total), bytes(rate(each, then, "received_bytes_total")),
      bytes(rate(each, then, "sent_bytes_total"))];
  })));
  drawAccessLog();
  byId("services-section").hidden = !state.stats.services.length;
  byId("services").replaceChildren(table([["State", "t", tone], ["Service", "t"], ["Address", "t"], ["Told to the fleet", "t"], ["Why", "why"]],
    state.stats.services.map(each => [each.state, each.name, each.address, each.tag, each.reason])));
  const certificates = [...state.stats.certificates || []].sort((a, b) => (a.expires_seconds ?? Infinity) - (b.expires_seconds ?? Infinity));
  const end = seconds => seconds == null ? "never" : seconds < 0 ? `${time(-seconds)} ago` : `in ${time(seconds)}`;
  byId("certificates-section").hidden = !certificates.length;
  byId("certificates").replaceChildren(table([["State", "t", tone], ["Ends", "t"], ["Names", "t"], ["Used by", "t"], ["File", "t"], ["Why its new file is refused", "why"]],
    certificates.map(each => [each.state, end(each.expires_seconds), each.names.join(", ") || each.kind, each.used_by.join(", "), each.path, each.refused])));
}

// Below the listeners, whose connections it is of; nothing where there is none.
function drawAccessLog() {
  const log = state.stats.access_log;
  byId("access-log").hidden = !log;
  if (!log) return;
  say("access-log", `Access log ${log.path}: ${log.written_total} lines written, ${log.dropped_total} dropped`
    + (log.fault ? `; it takes none now: ${log.fault}` : "."), log.fault ? "bad" : log.dropped_total ? "warn" : "muted");
}

function sentence({ name, data }) {
  switch (name) {
  case "member": return `member ${data.name} is ${data.state}${data.reason ? `: ${data.reason}` : ""}`;
  case "endpoint": return `upstream ${data.upstream}: ${data.address}${data.member ? ` of ${data.member}` : ""} is ${data.state || "no endpoint any more"}: ${data.reason}`;
  case "service": return `service ${data.name} is ${data.state}: ${data.reason}`;
  case "view": return data.reason;
  case "stage": return `this node: ${data.line}`;
  case "config": return data.fault ? `the config was refused: ${data.fault}` : `another config is in force, from ${data.file}`;
  case "certificate": return `${data.path} is ${data.state}${data.refused ? `; what it is now is refused: ${data.refused}` : ""}`;
  default: return `${name}: ${Object.values(data).filter(value => typeof value === "string").join(", ")}`;
  }
}

const mood = ({ name, data }) => name === "endpoint" && !data.state ? "gone" : data.state ? tone(data.state)
  : data.fault || data.last_known_good ? "bad" : data.ready === false ? "warn" : "";

function drawEvents() {
  const list = byId("events"), found = [];
  for (const [number, event] of [...state.events].reverse()) {
    const text = sentence(event);
    if (event.time > Date.now() - 600000 && matches(text) && found.push([number, event, text]) >= shownEvents) break;
  }
  byId("covers").textContent = [found.length ? "" : "Nothing changed.", state.covers < 599
    ? `Of more than ${time(state.covers)} ago some are missing: too much happened.` : ""].filter(Boolean).join(" ");
  const key = found.map(each => each[0]).join();
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(...found.map(([, event, text]) => {
    const line = make("li"), when = make("time", new Date(event.time).toLocaleTimeString([], { hour12: false }));
    when.dateTime = new Date(event.time).toISOString();
    line.append(when, make("span", text, mood(event)));
    return line;
  }));
}

// Keys and clicks

function focus(tile) {
  for (const other of state.cells.values()) if (other.tabIndex === 0) other.tabIndex = -1;
  tile.tabIndex = 0;
  tile.focus();
}

byId("fleet").addEventListener("click", event => {
  const tile = event.target.closest(".tile");
  if (!tile) return;
  state.selected = state.selected === tile.dataset.name ? null : tile.dataset.name;
  focus(tile);
  soon();
});
byId("fleet").addEventListener("keydown", event => {
  const tiles = [...state.cells.values()], here = tiles.indexOf(document.activeElement);
  if (here < 0) return;
  const place = tile => tile.getBoundingClientRect(), from = place(tiles[here]);
  const vertical = down => tiles.map(place).map((box, index) => ({ box, index }))
    .filter(({ box }) => down ? box.top > from.top + 2 : box.top < from.top - 2)
    .sort((a, b) => Math.abs(a.box.top - from.top) - Math.abs(b.box.top - from.top) || Math.abs(a.box.left - from.left) - Math.abs(b.box.left - from.left))[0];
  const to = { ArrowRight: () => here + 1, ArrowLeft: () => here - 1, Home: () => 0, End: () => tiles.length - 1,
    ArrowDown: () => vertical(true)?.index, ArrowUp: () => vertical(false)?.index }[event.key];
  if (!to) return;
  event.preventDefault();
  const tile = tiles[to()];
  if (tile) focus(tile);
});
byId("upstreams").addEventListener("click", event => {
  const name = event.target.dataset.upstream;
  if (!name) return;
  if (!state.open.delete(name)) state.open.add(name);
  soon();
});
byId("filter").addEventListener("input", event => { state.words = event.target.value.trim().toLowerCase(); soon(); });
document.addEventListener("keydown", event => {
  if (event.key === "/" && event.target.tagName !== "INPUT") { event.preventDefault(); byId("filter").focus(); }
  if (event.key !== "Escape") return;
  byId("filter").value = state.words = "";
  state.selected = null;
  if (event.target.tagName === "INPUT") event.target.blur();
  soon();
});
document.addEventListener("visibilitychange", () => { if (!document.hidden && state.stats) refresh().catch(() => {}); });

// The token

function enter(refused) {
  byId("gate").hidden = false;
  byId("content").hidden = true;
  byId("refused").textContent = refused || "";
  say("ready", "locked", "warn", "pill");
  byId("token").focus();
}
byId("gate").addEventListener("submit", event => {
  event.preventDefault();
  token = byId("token").value.trim();
  begin(true);
});

async function begin(asked) {
  if (asked || document.body.dataset.locked === "false") {
    try {
      await catchUp();
    } catch (fault) {
      if (fault.status === 401) { sessionStorage.removeItem("remora-token"); return enter("That is not the token."); }
      say("ready", "does not answer", "bad", "pill");
    }
    if (token) sessionStorage.setItem("remora-token", token);
    byId("gate").hidden = true;
    listen();
    poll();
  } else if (token) begin(true); else enter();
}
begin();
