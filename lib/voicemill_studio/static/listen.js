// The page "Listen": speaks a text with the chosen voices, one after the other, and shows each with its words.
import { post } from "./api.js";
import { showWords } from "./words.js";

const form = document.getElementById("speak");
const status = document.getElementById("status");
const list = document.getElementById("takes");
const template = document.getElementById("take");
const addresses = [];

function chosen() {
  return [...form.querySelectorAll("input[name=voice]:checked")];
}

function limit() {
  const full = chosen().length >= Number(form.dataset.most);
  for (const box of form.querySelectorAll("input[name=voice]")) box.disabled = full && !box.checked;
}

function showNumbers() {
  const speed = form.elements.speed, pitch = form.elements.semitones;
  form.querySelector("output[for=speed]").textContent = Number(speed.value).toFixed(2) + " ×";
  form.querySelector("output[for=semitones]").textContent = (pitch.value > 0 ? "+" : "") + pitch.value + " semitones";
}

async function show(title, spoken) {
  const take = template.content.cloneNode(true).firstElementChild;
  const player = take.querySelector("audio");
  take.querySelector("h2").textContent = title;
  player.setAttribute("aria-label", title);
  for (const link of take.querySelectorAll("a[data-suffix]")) {
    link.href = spoken.sound.replace(/\.wav$/, link.dataset.suffix) + "?download=1";
  }
  // As one piece in memory, so that the player can seek.
  const sound = await fetch(spoken.sound, { cache: "no-store" });
  if (!sound.ok) throw new Error("The sound could not be loaded.");
  player.src = URL.createObjectURL(await sound.blob());
  addresses.push(player.src);
  showWords(take.querySelector(".spoken-words"), player, spoken.words);
  player.addEventListener("play", () => {
    for (const other of list.querySelectorAll("audio")) if (other !== player) other.pause();
  });
  list.append(take);
  return player;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const voices = chosen();
  if (!voices.length) {
    status.textContent = "Choose a voice.";
    return;
  }
  const button = form.querySelector("button[type=submit]");
  button.disabled = true;
  list.replaceChildren();
  while (addresses.length) URL.revokeObjectURL(addresses.pop());
  try {
    for (const box of voices) {
      status.textContent = box.dataset.title + " …";
      const spoken = await post("/studio/api/speak", {
        voice: box.value,
        text: form.elements.text.value,
        speed: Number(form.elements.speed.value),
        semitones: Number(form.elements.semitones.value),
      });
      const player = await show(box.dataset.title, spoken);
      if (voices.length === 1) player.play().catch(() => {});
    }
    status.textContent = "";
  } catch (error) {
    status.textContent = error.message;
  } finally {
    button.disabled = false;
  }
});
form.addEventListener("change", limit);
form.addEventListener("input", showNumbers);
form.elements.text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
limit();
showNumbers();
