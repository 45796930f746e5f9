// Lights up each word while a player speaks it. Words are [text, start, end], in seconds.
export function showWords(place, player, words) {
  const marks = words.map(([text, start], index) => {
    const word = document.createElement("span");
    word.textContent = text;
    word.addEventListener("click", () => {
      player.currentTime = start;
      player.play();
    });
    place.append(word, index + 1 < words.length ? " " : "");
    return word;
  });
  let lit = -1;
  function follow() {
    const now = player.currentTime;
    const next = words.findIndex(([, start, end]) => now >= start && now < end);
    if (next !== lit) {
      if (lit >= 0) marks[lit].classList.remove("lit");
      if (next >= 0) marks[next].classList.add("lit");
      lit = next;
    }
    if (!player.paused) requestAnimationFrame(follow);
  }
  for (const event of ["play", "seeked", "pause", "ended"]) player.addEventListener(event, follow);
}
