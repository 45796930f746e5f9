// Decisions: each is sent at once; what the server answers is what stands in the file.
(function () {
  "use strict";
  var pending = document.getElementById("pending"), dataset = document.body.dataset.dataset;

  function send(decision) {
    decision.dataset = dataset;
    return fetch("edit", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(decision) })
      .then(function (answer) {
        return answer.json().then(function (body) {
          if (!answer.ok) throw new Error(body.sentence);
          return body;
        });
      }, function () { throw new Error("Not saved: the command in the terminal has ended."); });
  }
  function say(row, text, bad) {
    var said = row.querySelector(".said");
    said.textContent = text;
    said.classList.toggle("bad", !!bad);
  }
  function total(state) {
    pending.hidden = !state.edits && !state.waiting;
    pending.textContent = (state.edits === 1 ? "1 decision is saved. " : state.edits + " decisions are saved. ") +
      (state.waiting ? "The next run of voice-prep applies them." : "All of them are applied in this dataset.");
  }
  function paint(row, state) {
    total(state);
    if (row.matches("tr")) {
      var dropped = row.dataset.reason === "dropped_in_review";
      var wanted = dropped ? state.verdict !== "drop" : state.verdict === "keep";
      row.querySelector(".restore").textContent = wanted ? "Leave out after all" : dropped ? "Restore" : "Keep anyway";
      row.dataset.wanted = wanted ? "1" : "";
      say(row, wanted ? "comes back with the next run" : "");
      return;
    }
    var field = row.querySelector("textarea");
    row.dataset.saved = state.text === null ? state.was : state.text;
    row.dataset.was = state.was;
    row.dataset.verdict = state.verdict || "";
    row.classList.toggle("dropped", state.verdict === "drop");
    row.classList.toggle("changed", state.text !== null);
    field.readOnly = state.verdict === "drop";
    row.querySelector(".drop").textContent = state.verdict === "drop" ? "Restore" : "Leave out";
    row.querySelector(".undo").hidden = state.text === null;
    row.querySelector(".undo").title = "Back to: " + state.was;
    typed(row);
    say(row, state.verdict === "drop" ? "left out with the next run" : state.text !== null ? "was: " + state.was : "");
  }
  function typed(row) {
    var text = row.querySelector("textarea").value.split(/\s+/).filter(Boolean).join(" ");
    row.querySelector(".save").disabled = !text || text === row.dataset.saved;
  }
  function act(row, decision) {
    say(row, "saving …");
    return send(decision).then(function (state) { paint(row, state); }, function (error) { say(row, error.message, true); });
  }

  var list = document.getElementById("list");
  list.addEventListener("input", function (event) { if (event.target.matches("textarea")) typed(event.target.closest(".clip")); });
  list.addEventListener("keydown", function (event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.matches("textarea")) {
      event.preventDefault();
      event.target.closest(".clip").querySelector(".save").click();
    }
  });
  list.addEventListener("click", function (event) {
    var row = event.target.closest(".clip"), button = event.target.closest("button");
    if (!row || !button) return;
    var field = row.querySelector("textarea");
    if (button.matches(".save")) act(row, { clip: row.dataset.id, text: field.value });
    else if (button.matches(".undo")) { field.value = row.dataset.was; act(row, { clip: row.dataset.id, text: row.dataset.was }); }
    else if (button.matches(".drop")) act(row, { clip: row.dataset.id, verdict: row.dataset.verdict === "drop" ? "none" : "drop" });
  });
  var table = document.getElementById("rejected");
  if (table) table.tBodies[0].addEventListener("click", function (event) {
    var button = event.target.closest(".restore");
    if (!button) return;
    var row = button.closest("tr"), dropped = row.dataset.reason === "dropped_in_review";
    // a dropped stretch comes back when its edit goes; what a measurement left out, when a person says keep
    if (dropped) act(row, { rejected: +row.dataset.number, verdict: row.dataset.wanted ? "drop" : "none" });
    else act(row, { rejected: +row.dataset.number, verdict: row.dataset.wanted ? "none" : "keep" });
  });

  JSON.parse(document.getElementById("state").textContent).forEach(function (state) {
    var row = state.clip !== null ? document.getElementById(state.clip) : table && table.querySelector('tr[data-number="' + state.rejected + '"]');
    if (!row || !row.querySelector(".said")) return total(state);
    if (state.clip !== null && state.text !== null) row.querySelector("textarea").value = state.text;
    paint(row, state);
  });
  window.addEventListener("beforeunload", function (event) {
    var unsaved = Array.prototype.some.call(list.querySelectorAll(".save"), function (button) { return !button.disabled; });
    if (unsaved) event.preventDefault();
  });
})();
