// Sends each decision at once; the answer of the server is the state of the file.
(function () {
  "use strict";
  var page = document.querySelector("[data-dataset]"), pending = document.getElementById("pending");
  var dataset = page.dataset.dataset, address = page.dataset.edit || "edit";
  // Decisions that can be taken back, the last one at the end; they outlive a reload of the page.
  var store = "voicemill " + dataset, past = JSON.parse(sessionStorage.getItem(store) || "[]");
  var back = document.getElementById("back");

  function send(decision) {
    decision.dataset = dataset;
    return fetch(address, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(decision) })
      .then(function (answer) {
        return answer.json().then(function (body) {
          if (!answer.ok) throw new Error(body.sentence || body.message);
          return body;
        });
      }, function () { throw new Error("Not saved: the server cannot be reached."); });
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
  function remember() {
    sessionStorage.setItem(store, JSON.stringify(past.slice(-200)));
    back.disabled = !past.length;
  }
  // What restores a state after a decision of the same kind.
  function inverse(decision, state) {
    var found = { clip: decision.clip, rejected: decision.rejected };
    if (decision.text !== undefined) found.text = state.text === null ? state.was : state.text;
    else if (decision.edges) found.edges = state.edges;
    else if (decision.pronunciations) found.pronunciations = state.pronunciations;
    else found.verdict = state.verdict || "none";
    return found;
  }
  function rowOf(it) {
    return it.clip ? document.getElementById(it.clip) : table && table.querySelector('tr[data-number="' + it.rejected + '"]');
  }
  function paint(row, state) {
    total(state);
    row.state = state;
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
    var moved = state.edges[0] !== state.stood[0] || state.edges[1] !== state.stood[1];
    Array.prototype.forEach.call(row.querySelectorAll(".edge"), function (slider) {
      slider.value = state.edges[slider.dataset.edge] - state.stood[slider.dataset.edge];
    });
    slid(row);
    pronounced(row);
    var words = Object.keys(state.pronunciations);
    row.classList.toggle("changed", state.text !== null || moved || words.length > 0);
    report(row, state.verdict === "drop" ? "will be dropped by the next run" : [state.text !== null ? "was: " + state.was : "",
      moved ? "edges moved" : "", words.length ? "pronunciation of " + words.join(", ") : ""].filter(Boolean).join("; "));
  }
  function edgesOf(row) {
    return Array.prototype.map.call(row.querySelectorAll(".edge"), function (slider) {
      return Math.max(0, +(row.state.stood[slider.dataset.edge] + +slider.value).toFixed(3));
    });
  }
  function slid(row) {
    Array.prototype.forEach.call(row.querySelectorAll(".edge"), function (slider) {
      var shift = +slider.value;
      slider.parentNode.nextElementSibling.textContent = Math.abs(shift) < 0.005 ? "as it is" : Math.abs(shift).toFixed(2) + " s " + (shift < 0 ? "earlier" : "later");
    });
    var now = edgesOf(row);
    row.querySelector(".save-edges").disabled = now.every(function (edge, index) { return Math.abs(edge - row.state.edges[index]) < 0.005; });
  }
  function pronounced(row) {
    var which = row.querySelector(".which"), field = row.querySelector(".phones");
    if (!which.value) return;
    field.value = row.state.pronunciations[which.value] || which.selectedOptions[0].dataset.phones;
    row.querySelector(".save-phones").disabled = true;
  }
  function typed(row) {
    var text = row.querySelector("textarea").value.split(/\s+/).filter(Boolean).join(" ");
    row.querySelector(".save").disabled = !text || text === row.dataset.saved;
  }
  function act(row, decision, undoing) {
    var before = inverse(decision, row.state);
    report(row, "saving …");
    return send(decision).then(function (state) {
      if (!undoing) past.push(before);
      remember();
      paint(row, state);
    }, function (error) { report(row, error.message, true); });
  }

  var list = document.getElementById("list");
  list.addEventListener("input", function (event) {
    var row = event.target.closest(".clip");
    if (event.target.matches("textarea")) typed(row);
    else if (event.target.matches(".edge")) slid(row);
    else if (event.target.matches(".phones")) row.querySelector(".save-phones").disabled = false;
  });
  list.addEventListener("change", function (event) { if (event.target.matches(".which")) pronounced(event.target.closest(".clip")); });
  back.addEventListener("click", function () {
    var decision = past[past.length - 1], row = rowOf(decision);
    past.pop();
    if (row) return act(row, decision, true).then(function () {
      if (decision.text === undefined) return;
      row.querySelector("textarea").value = decision.text;
      typed(row);
    });
    send(decision).then(function (state) { remember(); total(state); }, function (error) { pending.hidden = false; pending.textContent = error.message; });
  });
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
    else if (button.matches(".save-edges")) act(row, { clip: row.dataset.id, edges: edgesOf(row) });
    else if (button.matches(".save-phones")) {
      var phones = Object.assign({}, row.state.pronunciations), word = row.querySelector(".which").value;
      var given = row.querySelector(".phones").value.toUpperCase().replace(/[0-2]/g, "").trim();
      if (given) phones[word] = given; else delete phones[word];
      act(row, { clip: row.dataset.id, pronunciations: phones });
    }
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

  remember();
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
