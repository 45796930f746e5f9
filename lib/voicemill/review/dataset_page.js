// Playback, search and sorting. One sound plays at a time; a cursor in the pictures follows it.
(function () {
  "use strict";
  var list = document.getElementById("list");
  if (!list) return;
  var rows = Array.prototype.slice.call(list.children);
  var player = new Audio(), current = null, until = Infinity;
  player.preload = "auto";

  function sight(row) { return row.querySelector(".sight"); }
  function mark(row, state) {
    row.classList.toggle("playing", state === "playing");
    row.classList.toggle("paused", state === "paused");
    row.querySelector(".play").setAttribute("aria-label", (state === "playing" ? "Stop " : "Play ") + row.dataset.id);
  }
  function line() {
    if (!current || !player.duration || !sight(current)) return;
    sight(current).querySelector("i").style.left = 100 * player.currentTime / player.duration + "%";
    sight(current).setAttribute("aria-valuenow", player.currentTime.toFixed(2));
    Array.prototype.forEach.call(current.querySelectorAll(".word"), function (word) {
      word.classList.toggle("now", !player.paused && player.currentTime >= word.dataset.at && player.currentTime < word.dataset.to);
    });
    if (player.currentTime >= until) { until = Infinity; player.pause(); }
  }
  function follow() { line(); if (!player.paused) requestAnimationFrame(follow); }
  // From a share of the sound, or from its beginning, to a second of it, or to its end.
  function play(row, at, to) {
    until = to === undefined ? Infinity : to;
    if (row !== current) {
      player.pause();
      if (current) mark(current, "");
      current = row;
      player.src = row.dataset.src;
    }
    var seek = function () { if (at !== undefined && player.duration) player.currentTime = at * player.duration; };
    if (player.readyState > 0) seek(); else if (at !== undefined) player.addEventListener("loadedmetadata", seek, { once: true });
    player.play().catch(function () {
      mark(row, "");
      row.querySelector(".play").title = "The sound cannot be played. Check that " + row.dataset.src.slice(0, 80) + " exists.";
    });
  }
  function toggle(row) { if (row === current && !player.paused) player.pause(); else play(row); }
  player.addEventListener("play", function () { mark(current, "playing"); follow(); });
  player.addEventListener("pause", function () { if (current) { mark(current, "paused"); line(); } });
  player.addEventListener("ended", function () { mark(current, ""); });

  document.addEventListener("click", function (event) {
    var row = event.target.closest("[data-src]");
    if (!row) return;
    if (event.target.closest(".play")) return toggle(row);
    var word = event.target.closest(".word");
    if (word) return play(row, Math.max(0, word.dataset.at - 0.02) / row.querySelector(".sight").getAttribute("aria-valuemax"), +word.dataset.to + 0.02);
    var box = event.target.closest(".sight");
    if (box) play(row, (event.clientX - box.getBoundingClientRect().left) / box.clientWidth);
  });
  list.addEventListener("keydown", function (event) {
    var box = event.target.closest(".sight");
    if (!box) return;
    var step = { ArrowRight: 0.5, ArrowLeft: -0.5 }[event.key];
    if (event.key === " " || event.key === "Enter") { event.preventDefault(); toggle(box.closest(".clip")); }
    else if (step && box.closest(".clip") === current) { event.preventDefault(); player.currentTime = Math.max(0, player.currentTime + step); line(); }
  });

  var find = document.getElementById("find"), sort = document.getElementById("sort"), show = document.getElementById("show");
  var texts = new WeakMap();
  function words(row) {
    var field = row.querySelector("textarea");
    if (field) return (row.textContent + " " + field.value).toLowerCase();
    if (!texts.has(row)) texts.set(row, row.textContent.toLowerCase());
    return texts.get(row);
  }
  function matches(row) {
    if (show.value === "edited") { if (!row.matches(".changed, .dropped")) return false; }
    else if (show.value && row.dataset.split !== show.value) return false;
    var terms = find.value.trim().toLowerCase().split(/\s+/);
    return terms.every(function (part) { return words(row).indexOf(part) >= 0; });
  }
  function filter() {
    var shown = 0;
    rows.forEach(function (row) { row.hidden = !matches(row); if (!row.hidden) shown += 1; });
    document.getElementById("count").textContent = shown + " of " + rows.length;
    document.getElementById("none").hidden = shown > 0;
  }
  function order() {
    var back = sort.value.charAt(0) === "-", key = back ? sort.value.slice(1) : sort.value;
    rows.sort(function (a, b) {
      var d = a.dataset[key] - b.dataset[key];
      return (back ? -d : d) || a.dataset.order - b.dataset.order;
    });
    list.append.apply(list, rows);
  }
  if (!find.form) {  // in a form, the server searches and sorts
    find.addEventListener("input", filter);
    show.addEventListener("change", filter);
    sort.addEventListener("change", order);
  }

  var reason = document.getElementById("reason"), table = document.getElementById("rejected");
  if (table) {
    var lines = Array.prototype.slice.call(table.tBodies[0].rows), sorted = "";
    var seek = document.getElementById("seek");
    var sift = function () {
      var terms = seek.value.trim().toLowerCase().split(/\s+/), shown = 0;
      lines.forEach(function (row) {
        var content = row.textContent.toLowerCase();
        row.hidden = !!reason.value && row.dataset.reason !== reason.value ||
          !terms.every(function (part) { return content.indexOf(part) >= 0; });
        if (!row.hidden) shown += 1;
      });
      document.getElementById("left-count").textContent = shown + " of " + lines.length;
      document.getElementById("left-none").hidden = shown > 0;
    };
    if (seek) {  // in the studio, the server searches
      reason.addEventListener("change", sift);
      seek.addEventListener("input", sift);
    }
    table.tHead.addEventListener("click", function (event) {
      var button = event.target.closest("button");
      if (!button) return;
      var by = button.dataset.by, turn = sorted === by ? -1 : 1;
      sorted = turn > 0 ? by : "";
      lines.sort(function (a, b) {
        var place = a.dataset.source.localeCompare(b.dataset.source) || a.dataset.start - b.dataset.start;
        var why = a.dataset.reason.localeCompare(b.dataset.reason);
        if (by === "seconds") return turn * (a.dataset.seconds - b.dataset.seconds) || place;
        if (by === "reason") return turn * why || place;
        // values of one reason have one unit; stretches without a value come last
        if (by === "value") return !a.dataset.value - !b.dataset.value || why || turn * (a.dataset.value - b.dataset.value) || place;
        return turn * place;
      });
      table.tBodies[0].append.apply(table.tBodies[0], lines);
    });
  }
})();
