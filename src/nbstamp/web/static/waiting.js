// Starts the user's Jupyter server on the hub's own page, which leads back to what kept.js has kept.
// A hub that is full answers 429 there; asking once before going keeps the user on this page then.
// Without "no-cors" the hub takes the question for one of a foreign page, because only its own pages
// can prove that they are not: https://jupyterhub.readthedocs.io/en/stable/explanation/websecurity.html
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
  waiting.addEventListener("submit", () => clearInterval(timer));
}

async function start(address) {
  let answer;
  try {
    answer = await fetch(address, { mode: "no-cors", cache: "no-store" });
  } catch {
    return leave(waiting); // to a sign-in on another site, perhaps
  }
  if (answer.status === 429) {
    const seconds = Number(answer.headers.get("Retry-After")) || BUSY;
    countDown("The hub is full. Nothing was created.", seconds, () => start(address));
  } else if (answer.status >= 400) {
    message.textContent = `The hub could not start your Jupyter server (it answered ${answer.status}). Nothing was created.`;
  } else {
    leave(waiting);
  }
}

if (waiting.dataset.login) {
  const address = new URL(waiting.dataset.login, location.href);
  // a hub on another host does not lead back here
  if (address.origin === location.origin && !waiting.dataset.again) start(address);
} else {
  countDown(message.textContent.trim(), Number(waiting.dataset.seconds), () => waiting.requestSubmit());
}
