// The download does not leave this page: say that it has begun.
const form = document.getElementById("create");
const note = document.getElementById("started");
if (form && note) {
  form.addEventListener("submit", (event) => {
    if (event.submitter && event.submitter.hasAttribute("formaction")) return;
    setTimeout(() => { note.hidden = false; note.focus(); }, 400);
  });
}
