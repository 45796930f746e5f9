// Uploads in parts. The server knows how much of a file it has, so an interrupted upload goes on there.
import { API, element, pause, post, request } from "./api.js";

const PART = 4 * 1024 * 1024, FIRST_PART = 256 * 1024, LONGEST_PAUSE = 15;
const root = document.getElementById("uploads"), list = document.getElementById("list");
const news = document.getElementById("news"), missing = document.getElementById("missing");
const base = API + "drafts/" + root.dataset.draft + "/uploads";
const rows = new Map();   // id of the upload -> its row
const waiting = [];       // files that were chosen and are not sent yet
let sending = false, asked = 0;

function clock(seconds) {
  const whole = Math.round(seconds), hours = Math.floor(whole / 3600);
  const rest = String(Math.floor(whole / 60) % 60).padStart(hours ? 2 : 1, "0") + ":" + String(whole % 60).padStart(2, "0");
  return hours ? hours + ":" + rest : rest;
}

function size(bytes) {
  const units = ["bytes", "kB", "MB", "GB"];
  let unit = 0;
  while (bytes >= 1000 && unit < 3) { bytes /= 1000; unit += 1; }
  return (unit ? bytes.toFixed(1) : bytes) + " " + units[unit];
}

function row(upload) {
  if (rows.has(upload.id)) return rows.get(upload.id);
  const made = {
    item: element("li", { class: "panel", "data-id": upload.id }),
    name: element("h3"), facts: element("p", { class: "help" }), state: element("p", { class: "state" }),
    bar: element("progress", { max: 1, value: 0 }), notes: element("ul", { class: "warnings" }),
    remove: element("button", { type: "button" }, "Remove"),
  };
  made.item.append(element("div", { class: "about" }, made.name, made.facts, made.notes), made.state, made.bar, made.remove);
  made.remove.addEventListener("click", () => remove(upload.id));
  rows.set(upload.id, made);
  list.append(made.item);
  return made;
}

function show(upload, problem = "") {
  const it = row(upload), share = upload.bytes ? upload.received / upload.bytes : 0;
  it.upload = upload;
  it.name.textContent = upload.name;
  it.remove.setAttribute("aria-label", "Remove " + upload.name);
  it.bar.value = share;
  it.bar.hidden = upload.complete || !!upload.refused;
  it.bar.setAttribute("aria-label", "Share of " + upload.name + " that has arrived");
  const facts = [size(upload.bytes)];
  if (upload.described) facts.push(upload.described);
  if (upload.seconds) facts.push(clock(upload.seconds));
  if (upload.level_dbfs !== null) facts.push("level " + upload.level_dbfs.toFixed(0) + " dBFS", upload.snr_db.toFixed(0) + " dB above the noise");
  it.facts.textContent = facts.join(", ");
  it.notes.replaceChildren(...upload.warnings.map((text) => element("li", {}, text)));
  const done = upload.complete && !upload.refused;
  it.state.textContent = problem || upload.refused || (done ? (upload.warnings.length ? "Arrived" : "Arrived, good") :
    (100 * share).toFixed(0) + " % has arrived" + (it.file ? "" : "; choose the file again to go on"));
  it.state.className = "state" + (problem || upload.refused ? " wrong" : done ? " good" : "");
  it.item.dataset.state = upload.refused ? "refused" : done ? "done" : "arriving";
}

async function remove(id) {
  const it = rows.get(id);
  it.removed = true;
  const index = waiting.indexOf(it.file);
  if (index >= 0) waiting.splice(index, 1);
  await request(base + "/" + id, { method: "DELETE" }).catch(() => {});
  rows.delete(id);
  it.item.remove();
  refresh();
}

async function send(file) {
  let upload = await post(base, { name: file.name, bytes: file.size, modified: Math.round(file.lastModified) });
  const it = row(upload);
  it.file = file;
  show(upload);
  let wait = 0.5;
  while (!upload.complete && !it.removed) {
    const part = upload.received ? PART : FIRST_PART;
    const path = base + "/" + upload.id;
    try {
      upload = await request(path + "?offset=" + upload.received, { method: "PUT", body: file.slice(upload.received, upload.received + part) });
      wait = 0.5;
      if (!it.removed) show(upload);
    } catch (error) {
      if (error.reason === "upload_offset") {
        upload = { ...upload, received: error.body.received };
      } else if (error.status && error.status < 500 && error.reason !== "upload_busy") {
        upload = await request(path).catch(() => ({ ...upload, refused: error.message }));
        show(upload, upload.refused || error.message);
        return;
      } else {
        show(upload, error.message + " Trying again …");
        await pause(wait);
        wait = Math.min(2 * wait, LONGEST_PAUSE);
        upload = await request(path).catch(() => upload);
      }
    }
  }
  if (it.removed) return;
  show(upload);
  news.textContent = upload.name + (upload.refused ? ": " + upload.refused : " has arrived.");
}

async function work() {
  if (sending) return;
  sending = true;
  while (waiting.length) {
    const file = waiting.shift();
    await send(file).catch((error) => {
      news.textContent = file.name + ": " + error.message;
      list.append(element("li", { class: "panel wrong" }, file.name + ": " + error.message));
    });
    await refresh();
  }
  sending = false;
}

function add(files) {
  waiting.push(...files);
  work();
}

async function refresh() {
  const mine = (asked += 1);
  const recognise = document.querySelector("input[name=recognise]:checked").value;
  const state = await request(API + "drafts/" + root.dataset.draft + "?recognise=" + recognise).catch(() => null);
  if (!state || mine !== asked) return;  // a later question is on its way
  state.uploads.forEach((upload) => show(upload));
  missing.textContent = state.missing || "Everything is there.";
  document.getElementById("prepare").disabled = !!state.missing;
}

const choose = document.getElementById("choose"), drop = document.getElementById("drop");
choose.addEventListener("change", () => { add([...choose.files]); choose.value = ""; });
for (const kind of ["dragenter", "dragover"]) drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => { event.preventDefault(); add([...event.dataTransfer.files]); });
for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());

const words = document.getElementById("words"), addWords = document.getElementById("add-words");
words.addEventListener("input", () => { addWords.disabled = !words.value.trim(); });
addWords.addEventListener("click", () => {
  add([new File([words.value], "typed text.txt", { type: "text/plain", lastModified: Date.now() })]);
  words.value = "";
  addWords.disabled = true;
});
for (const choice of document.querySelectorAll("input[name=recognise]")) choice.addEventListener("change", refresh);
window.addEventListener("beforeunload", (event) => { if (sending) event.preventDefault(); });
refresh();
