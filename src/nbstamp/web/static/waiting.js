// Starts the user's Jupyter server on the hub's own page, which leads back to what kept.js has kept.
// A hub that is full answers 429 there; asking once before going keeps the user on this page then.
// Without "no-cors" the hub would want its own XSRF token with the question, which only its pages have
// (jupyterhub/_xsrf_utils.py).
"use strict";

const waiting = document.getElementById("kept");
const message = document.getElementById("message");
const BUSY = 60;

function countDown(text, seconds, then) {
  const say = () => { message.textContent = `${text} Trying again in ${seconds} s.`; };
  say();
  const timer = setInterval(() => {
    seconds -= 1;
    if (seconds > 0) return say();
    clearInterval(timer);
    message.textContent = "Trying again …";
    then();
  }, 1000);
  waiting.addEventListener("submit", (event) => {
    if (!event.submitter || event.submitter.name !== "download") clearInterval(timer);
  });
}

function go() {
  waiting.elements.started.disabled = false; // not to start it again and again
  leave(waiting).catch(() => { message.textContent = "This browser cannot keep your values. Please start your server in a new tab."; });
}

async function start(address) {
  let answer;
  try {
    answer = await fetch(address, { mode: "no-cors", cache: "no-store" });
  } catch {
    return go(); // to a sign-in on another site, perhaps
  }
  if (answer.status === 429) {
    const seconds = Number(answer.headers.get("Retry-After")) || BUSY;
    countDown("The hub is full. Nothing was created.", seconds, () => start(address));
  } else if (answer.status >= 400) {
    message.textContent = `The hub could not start your Jupyter server (it answered ${answer.status}). Nothing was created.`;
  } else {
    go();
  }
}

if (waiting.dataset.login) {
  const address = new URL(waiting.dataset.login, location.href);
  // a hub on another host does not lead back here
  if (address.origin === location.origin && !waiting.dataset.started) start(address);
} else {
  countDown(message.textContent.trim(), Number(waiting.dataset.seconds), () => waiting.requestSubmit());
}
