// The recording session: one sentence at a time, by mouse or by keyboard.
import { API, element, post, request } from "./api.js";
import { Recorder } from "./recorder.js";

const root = document.getElementById("session"), base = API + "sessions/" + root.dataset.session;
const by = (id) => document.getElementById(id);
const player = new Audio();
let sentences = [], coverage = null, current = 0, busy = false;

const recorder = new Recorder({
  onLevel(level, room) {
    by("level").value = level;
    by("level-text").textContent = level > -1 ? "too loud" : "";
    by("room").value = room;
    by("room-text").textContent = room > -50 ? "noisy" : room > -60 ? "fair" : "quiet";
  },
  onSilence() { if (by("auto-stop").checked && recorder.recording) stop(); },
});

const used = (it) => it.takes.find((take) => take.number === it.used);
const last = (it) => it.takes[it.takes.length - 1];

function mark(it) {
  if (it.skipped) return ["left out", ""];
  if (it.used !== null) return used(it).good ? ["good", "good"] : ["kept", "now"];
  return it.takes.length ? ["record again", "bad"] : ["open", ""];
}

function show() {
  const it = sentences[current], [words, style] = mark(it);
  by("position").textContent = current ? "Sentence " + current + " of " + (sentences.length - 1) : "Statement of consent";
  by("mark").textContent = words;
  by("mark").className = "tag " + style;
  by("record").textContent = recorder.recording ? "Stop" : it.takes.length ? "Record again" : "Record";
  by("record").setAttribute("aria-pressed", String(recorder.recording));
  root.classList.toggle("recording", recorder.recording);
  by("replay").disabled = !it.takes.length || recorder.recording;
  by("skip").textContent = it.skipped ? "Take back" : "Leave out";
  by("skip").disabled = current === 0;
  by("keep").hidden = !it.takes.length || it.used !== null;
  by("previous").disabled = current === 0;
  by("next").disabled = current === sentences.length - 1;
  text(it);
  const take = last(it);
  if (!recorder.recording && !busy) say(take ? (take.good ? "Good." : take.verdict.faults.map((fault) => fault.sentence).join(" ")) : "", take && !take.good);
}

// The sentence, with the words that a fault is about marked.
function text(it) {
  const faults = last(it) ? last(it).verdict.faults : [], wrong = new Set();
  for (const fault of faults) for (let word = fault.first; fault.first !== null && word < Math.max(fault.last, fault.first + 1); word += 1) wrong.add(word);
  const words = it.text.split(" ");
  by("sentence").replaceChildren(...words.flatMap((word, index) => [wrong.has(index) ? element("mark", {}, word) : word, " "]));
}

function say(words, bad) {
  by("verdict").textContent = words;
  by("verdict").classList.toggle("wrong", !!bad);
}

function list() {
  by("list").replaceChildren(...sentences.map((it, index) => {
    const [words, style] = mark(it), button = element("button", { type: "button" }, index ? it.text : "Statement of consent");
    button.addEventListener("click", () => go(index));
    if (index === current) button.setAttribute("aria-current", "step");
    return element("li", {}, button, element("span", { class: "tag " + style }, words));
  }));
  const good = sentences.slice(1).filter((it) => it.used !== null).length;
  by("total").textContent = good + " of " + (sentences.length - 1) + " sentences are recorded" +
    (coverage ? "; they contain " + coverage.pairs + " of the " + coverage.all + " pairs of sounds of this session." : ".");
  const consent = sentences[0].used !== null;
  by("prepare").disabled = !consent || good < 2;
  by("ready").textContent = !consent ? "Record the statement of consent; then the takes can be prepared." :
    good < 2 ? "Record at least two sentences; then the takes can be prepared." : "The takes can be prepared; sixty sentences or more are better.";
}

async function load() {
  sentences = (await request(base)).sentences;
}

function cover() {
  request(base + "/coverage").then((found) => { coverage = found; list(); }, () => {});
}

function go(index) {
  if (recorder.recording || busy) return;
  player.pause();
  current = Math.max(0, Math.min(sentences.length - 1, index));
  show();
  list();
}

// The next sentence that is still open; else the next one.
function onward() {
  const open = (it) => it.used === null && !it.skipped;
  const order = [...sentences.keys()].map((step) => (current + 1 + step) % sentences.length);
  go(order.find((index) => open(sentences[index])) ?? current);
}

function start() {
  if (busy || recorder.recording) return;
  player.pause();
  recorder.start();
  say("Recording …", false);
  show();
}

async function stop() {
  const sound = recorder.stop(), number = current;
  busy = true;
  show();
  say("Judging …", false);
  let good = false;
  try {
    const it = await request(base + "/takes/" + number, { method: "POST", headers: { "Content-Type": "audio/wav" }, body: sound });
    sentences[number] = it;
    good = last(it).good;
    busy = false;
    cover();
  } catch (error) {
    busy = false;
    show();
    say(error.message + (error.status ? "" : " The take is not kept."), true);
    list();
    return;
  }
  show();
  list();
  if (good && by("auto-next").checked) {
    onward();
    say("Good. " + (current === number ? "That was the last one." : "The next one:"), false);
    if (by("auto-record").checked && current !== number) setTimeout(start, 500);
  }
}

async function choose(decision) {
  try {
    sentences[current] = await post(base + "/choices/" + current, decision);
    show();
    list();
  } catch (error) { say(error.message, true); }
}

const acts = {
  record: () => (recorder.recording ? stop() : start()),
  replay: () => { const take = last(sentences[current]); if (take && !recorder.recording) { player.src = take.sound; player.play().catch(() => {}); } },
  previous: () => go(current - 1),
  next: () => go(current + 1),
  skip: () => current && choose({ skip: !sentences[current].skipped }),
  keep: () => { const take = last(sentences[current]); if (take) choose({ keep: take.number }); },
};
for (const [name, act] of Object.entries(acts)) by(name).addEventListener("click", act);
const keys = { " ": "record", p: "replay", ArrowLeft: "previous", ArrowRight: "next", s: "skip", k: "keep" };
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || by("booth").hidden) return;
  if (event.target.closest("input, textarea, select, a, summary, .sentences")) return;
  const name = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!name || by(name).disabled || by(name).hidden) return;
  event.preventDefault();
  acts[name]();
});
document.addEventListener("keyup", (event) => { if (event.key === " " && event.target.closest("button")) event.preventDefault(); });

// The microphones that there are, once the page may use one.
async function devices() {
  const found = (await navigator.mediaDevices.enumerateDevices()).filter((it) => it.kind === "audioinput");
  const now = recorder.stream.getAudioTracks()[0].getSettings().deviceId;
  by("device").replaceChildren(...found.map((it, index) => element("option", { value: it.deviceId }, it.label || "Microphone " + (index + 1))));
  by("device").value = now;
}
by("device").addEventListener("change", async () => {
  if (recorder.recording) return devices();
  await recorder.open(root.dataset.worklet, by("device").value).catch(() => say("This microphone cannot be opened.", true));
  devices();
});

const supported = window.isSecureContext && navigator.mediaDevices && window.AudioWorkletNode;
by("insecure").hidden = !!supported;
by("open").disabled = true;
by("open").addEventListener("click", async () => {
  by("open").disabled = true;
  try {
    await recorder.open(root.dataset.worklet);
  } catch (error) {
    by("open").disabled = false;
    by("open-why").textContent = error.name === "NotAllowedError" ? "The browser does not give this page a microphone; allow it beside the address." : "There is no microphone, or another program uses it.";
    return;
  }
  by("open-box").hidden = true;
  by("booth").hidden = false;
  devices();
  by("record").focus();
  show();
});
window.addEventListener("beforeunload", (event) => { if (recorder.recording || busy) event.preventDefault(); });

await load();
current = Math.max(0, sentences.findIndex((it, index) => index && it.used === null && !it.skipped));
if (sentences[0].used === null && sentences.slice(1).every((it) => !it.takes.length)) current = 0;
show();
list();
by("open").disabled = !supported;
cover();
