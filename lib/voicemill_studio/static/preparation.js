// Follows a preparation until it ends.
import { API, pause, request } from "./api.js";

const root = document.getElementById("preparation"), log = document.getElementById("log");
const path = API + "preparations/" + root.dataset.job;

function show(state) {
  root.dataset.state = state.state;
  const stage = document.getElementById("stage");
  if (stage.textContent !== state.message) stage.textContent = state.message;
  document.getElementById("done").value = state.done;
  document.getElementById("sentence").textContent = state.sentence;
  log.textContent = state.log.join("\n");
  const ended = state.state === "done" || state.state === "error";
  for (const name of ["review", "voice"]) document.getElementById(name).hidden = state.state !== "done";
  document.getElementById("back").hidden = state.state !== "error";
  document.getElementById("cancel").hidden = ended;
  return ended;
}

document.getElementById("cancel").addEventListener("click", () => request(path + "/cancel", { method: "POST" }).then(show, () => {}));
for (;;) {
  const ended = await request(path).then(show, () => false);
  if (ended) break;
  await pause(0.7);
}
