// The page of a training: asks for its state every two seconds, and loads itself again when the training has ended.
import { request } from "./api.js";

const live = document.getElementById("live");
const trouble = document.getElementById("trouble");
const log = document.getElementById("log");
const pause = 2000;
let shown = "";
let charts = "";
let newest = 0, frameOf = Number(document.getElementById("so-far-frame").dataset.written);

function set(id, text) {
  document.getElementById(id).textContent = text;
}

function showLog(lines) {
  const text = lines.join("\n");
  if (text === shown) return;
  shown = text;
  const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 20;
  log.textContent = text;
  if (atEnd) log.scrollTop = log.scrollHeight;
}

// The report is written again and again; a newer one is shown when the person asks for it, who may be listening.
function showVoice(written) {
  const place = document.getElementById("so-far-frame");
  if (place.firstElementChild) {
    newest = written;
    document.getElementById("newer").hidden = written === frameOf;
    return;
  }
  frameOf = written;
  const frame = document.createElement("iframe");
  frame.className = "report";
  frame.title = "Training report";
  frame.setAttribute("sandbox", "allow-scripts");
  frame.src = place.dataset.src;
  place.append(frame);
  document.getElementById("so-far-section").hidden = false;
}

async function ask() {
  try {
    const now = await request("/studio/api/train/" + live.dataset.job);
    trouble.hidden = true;
    if (now.over) return location.reload();
    set("message", now.message);
    set("model", now.model);
    set("left", now.left ? now.left + " left" : "");
    document.querySelector("#state .tag").textContent = now.state;
    const bar = document.getElementById("progress");
    if (now.progress) {
      bar.max = now.progress.total || 100;
      bar.value = now.progress.current;
    }
    if (now.charts !== charts) {
      charts = now.charts;
      document.getElementById("charts").innerHTML = charts; // drawn and escaped by the server
      document.getElementById("curves-section").hidden = !charts;
    }
    if (now.report) showVoice(now.report);
    showLog(now.log);
  } catch (error) {
    trouble.textContent = error.message;
    trouble.hidden = false;
  }
  setTimeout(ask, pause);
}

document.getElementById("newer").addEventListener("click", () => {
  frameOf = newest;
  document.getElementById("newer").hidden = true;
  document.querySelector("#so-far-frame iframe").src = document.getElementById("so-far-frame").dataset.src + "?" + newest;
});

log.scrollTop = log.scrollHeight;
setTimeout(ask, pause);
