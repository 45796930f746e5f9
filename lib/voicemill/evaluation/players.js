// Plays one sound at a time and moves a cursor in its spectrogram.
(function () {
  var players = Array.prototype.slice.call(document.querySelectorAll("audio"));
  players.forEach(function (player) {
    var mel = player.parentNode.querySelector(".mel"), line = mel && mel.querySelector("i");
    if (!mel) { // a test sentence without a spectrogram
      player.addEventListener("play", function () {
        players.forEach(function (other) { if (other !== player) other.pause(); });
      });
      return;
    }
    function follow() {
      if (player.duration) line.style.left = 100 * player.currentTime / player.duration + "%";
      if (!player.paused) requestAnimationFrame(follow);
    }
    player.addEventListener("play", function () {
      players.forEach(function (other) { if (other !== player) other.pause(); });
      mel.classList.add("on"); follow();
    });
    player.addEventListener("ended", function () { mel.classList.remove("on"); });
    mel.addEventListener("click", function (event) {
      if (!player.duration) return;
      player.currentTime = player.duration * (event.clientX - mel.getBoundingClientRect().left) / mel.clientWidth;
      player.play();
    });
  });
})();
