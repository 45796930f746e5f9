// Sends each decision at once; the answer of the server is the state of the file.
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
      }, function () { throw new Error("Not saved: voice-prep review is no longer running."); });
  }
  function report(row, text, bad) {
    var status = row.querySelector(".status");
    status.textContent = text;
    status.classList.toggle("bad", !!bad);
  }
  function total(state) {
    pending.hidden = !state.edits && !state.waiting;
    pending.textContent = (state.edits === 1 ? "1 decision is saved. " : state.edits + " decisions are saved. ") +
      (state.waiting ? "The next run of voice-prep applies them." : "This dataset includes all of them.");
  }
  function paint(row, state) {
    total(state);
    if (row.matches("tr")) {
      var dropped = row.dataset.reason === "dropped_in_review";
      var wanted = dropped ? state.verdict !== "drop" : state.verdict === "keep";
      row.querySelector(".restore").textContent = wanted ? "Reject after all" : dropped ? "Restore" : "Keep anyway";
      row.dataset.wanted = wanted ? "1" : "";
      report(row, wanted ? "will be restored by the next run" : "");
      return;
    }
    var field = row.querySelector("textarea");
    row.dataset.saved = state.text === null ? state.was : state.text;
    row.dataset.was = state.was;
    row.dataset.verdict = state.verdict || "";
    row.classList.toggle("dropped", state.verdict === "drop");
    row.classList.toggle("changed", state.text !== null);
    field.readOnly = state.verdict === "drop";
    row.querySelector(".drop").textContent = state.verdict === "drop" ? "Restore" : "Drop";
    row.querySelector(".undo").hidden = state.text === null;
    row.querySelector(".undo").title = "Restore: " + state.was;
    typed(row);
    report(row, state.verdict === "drop" ? "will be dropped by the next run" : state.text !== null ? "was: " + state.was : "");
  }
  function typed(row) {
    var text = row.querySelector("textarea").value.split(/\s+/).filter(Boolean).join(" ");
    row.querySelector(".save").disabled = !text || text === row.dataset.saved;
  }
  function act(row, decision) {
    report(row, "saving …");
    return send(decision).then(function (state) { paint(row, state); }, function (error) { report(row, error.message, true); });
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
    // a dropped stretch is restored by removing its edit, a stretch rejected by a measurement by the verdict "keep"
    if (dropped) act(row, { rejected: +row.dataset.number, verdict: row.dataset.wanted ? "drop" : "none" });
    else act(row, { rejected: +row.dataset.number, verdict: row.dataset.wanted ? "none" : "keep" });
  });

  JSON.parse(document.getElementById("state").textContent).forEach(function (state) {
    var row = state.clip !== null ? document.getElementById(state.clip) : table && table.querySelector('tr[data-number="' + state.rejected + '"]');
    if (!row || !row.querySelector(".status")) return total(state);
    if (state.clip !== null && state.text !== null) row.querySelector("textarea").value = state.text;
    paint(row, state);
  });
  window.addEventListener("beforeunload", function (event) {
    var unsaved = Array.prototype.some.call(list.querySelectorAll(".save"), function (button) { return !button.disabled; });
    if (unsaved) event.preventDefault();
  });
})();
