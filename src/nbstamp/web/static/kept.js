// A form is kept in this tab while its user signs in elsewhere, and sent again afterwards. Session
// storage holds about five million characters; what is larger goes into IndexedDB. Whatever is kept
// is removed when it is used, and after a day.
"use strict";

const PREFIX = "nbstamp-";
const AGE = 24 * 3600 * 1000;

function database() {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open("nbstamp", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("kept");
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error);
  });
}

async function inDatabase(mode, action) {
  const db = await database();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = db.transaction("kept", mode);
      const request = action(transaction.objectStore("kept"));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
  } finally {
    db.close();
  }
}

async function keep(key, kept) {
  const text = JSON.stringify(kept);
  try {
    sessionStorage.setItem(key, text);
  } catch {
    await inDatabase("readwrite", (store) => store.put(text, key));
  }
}

async function takeLarge(key) {
  const text = await inDatabase("readonly", (store) => store.get(key));
  if (text !== undefined) await inDatabase("readwrite", (store) => store.delete(key));
  return text;
}

async function removeOld() {
  const old = (text) => {
    try { return Date.now() - JSON.parse(text).time > AGE; } catch { return true; }
  };
  for (const key of Object.keys(sessionStorage)) {
    if (key.startsWith(PREFIX) && old(sessionStorage.getItem(key))) sessionStorage.removeItem(key);
  }
  const names = indexedDB.databases ? (await indexedDB.databases()).map((one) => one.name) : ["nbstamp"];
  if (!names.includes("nbstamp")) return;
  const keys = await inDatabase("readonly", (store) => store.getAllKeys());
  for (const key of keys) {
    const text = await inDatabase("readonly", (store) => store.get(key));
    if (old(text)) await inDatabase("readwrite", (store) => store.delete(key));
  }
}

async function leave(form) {
  const random = crypto.getRandomValues(new Uint8Array(16));
  const key = PREFIX + Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const fields = Array.from(new FormData(form));
  await keep(key, { time: Date.now(), action: form.getAttribute("action"), fields });
  const next = `${form.dataset.resume}?key=${key}`;
  location.replace(`${form.dataset.login}?next=${encodeURIComponent(next)}`);
}

function lost() {
  document.getElementById("resume").hidden = true;
  document.getElementById("lost").hidden = false;
}

function send(text) {
  const kept = text ? JSON.parse(text) : null;
  if (!kept || Date.now() - kept.time > AGE) return lost();
  const form = document.createElement("form");
  form.method = "post";
  form.action = kept.action;
  for (const [name, value] of kept.fields) {
    const field = document.createElement("input");
    field.type = "hidden";
    field.name = name;
    field.value = value;
    form.append(field);
  }
  document.body.append(form);
  form.submit();
}

function resume() {
  const key = new URLSearchParams(location.search).get("key") || "";
  history.replaceState(null, "", location.pathname);
  if (!key.startsWith(PREFIX)) return lost();
  const text = sessionStorage.getItem(key);
  sessionStorage.removeItem(key);
  // At once where that is possible: a form that is sent while the page is still loading takes its
  // place in the history.
  if (text !== null) send(text);
  else takeLarge(key).then(send, lost);
}

const form = document.getElementById("kept");
removeOld().catch(() => {});
if (form && !form.dataset.wait) leave(form).catch(() => {});
else if (!form) resume();
