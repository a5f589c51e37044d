// Puts the page together: what the daemon says goes to the transcript, what the person does goes to the daemon.

import { Composer, completions } from "./composer.js";
import * as kept from "./kept.js";
import { Picker } from "./picker.js";
import { Sidebar } from "./sidebar.js";
import { Socket } from "./socket.js";
import { Speaker } from "./speak.js";
import { Transcript } from "./transcript.js";
import { words } from "./words.js";

const $ = (selector) => document.querySelector(selector);
const byteLength = (text) => new TextEncoder().encode(text).length;

const state = {
  conversation: "",
  isShown: false, // the daemon has sent this conversation; until then its steps belong to the one before
  commands: [],
  models: [],
  maxMessageBytes: Infinity,
  typingTimer: 0,
  isTyping: false,
  resend: 0,
  wasLost: false,
};

const speaker = new Speaker($("#aloud"));
const transcript = new Transcript($("#lines"), $("#scroll"), speaker, { changed: refresh });
const composer = new Composer($("#composer"), { send: say, typing: sayTyping, draft: saveDraft }, (text) =>
  completions(text, state.commands, state.models),
);
const picker = new Picker($("#picker"), { pick: (ref) => say(`/model ${ref}`), opened: askModels });
const sidebar = new Sidebar({ open: openConversation, start: () => openConversation(kept.newId()), changed: () => {} });
let socket = null;

// --- the daemon's frames -----------------------------------------------------------------------------------

const frames = {
  hello({ commands, maxMessageBytes }) {
    state.commands = commands;
    state.maxMessageBytes = maxMessageBytes;
  },
  opened({ c, lines, typing, ttl }) {
    if (c !== state.conversation) return;
    state.isShown = true;
    transcript.opened(lines);
    restoreUnsent(lines);
    setTyping(typing, ttl);
    const first = lines.find((line) => line.role === "user");
    if (first) name(first.text);
    askModels();
    flush();
  },
  show: (given) => {
    setTyping(false);
    transcript.show(given);
  },
  more: (step) => {
    if (transcript.more(step)) return;
    state.isShown = false;
    socket.send({ t: "open", c: state.conversation });
  },
  user: ({ id, text }) => transcript.addUser(id, text),
  note: ({ id, note }) => transcript.note(id, note),
  gone: ({ id }) => transcript.gone(id),
  typing: ({ on, ttl }) => setTyping(on, ttl),
  models({ c, models }) {
    if (c !== state.conversation) return;
    state.models = models;
    picker.set(models);
    $("#hint").textContent = picker.current?.hint ?? "";
    refresh();
  },
  said({ id }) {
    kept.markSaid(id);
    transcript.setState(id, "");
  },
  refused({ id, code, retry, ...data }) {
    const text = (words.refused[code] ?? words.refused.bad_frame)(data);
    if (retry !== undefined) {
      clearTimeout(state.resend);
      state.resend = setTimeout(flush, retry * 1000);
      return;
    }
    if (id) {
      kept.dropUnsent(id);
      transcript.setState(id, text);
    }
    speaker.say(text);
  },
  pong() {},
};

const ofConversation = new Set(["show", "more", "user", "note", "gone", "typing"]);

function onFrame(frame) {
  if (ofConversation.has(frame.t) && !state.isShown) return;
  frames[frame.t]?.(frame);
  refresh();
}

function onOpen() {
  setNotice("");
  if (state.wasLost) speaker.say(words.back);
  state.wasLost = false;
  socket.send({ t: "open", c: state.conversation });
}

async function onClosed({ wait }) {
  state.isShown = false;
  setTyping(false);
  if (!state.wasLost && wait < 400) {
    // Often it is back at once; a notice that flashes helps nobody.
    await new Promise((resolve) => setTimeout(resolve, 1200));
    if (socket.isOpen) return;
  }
  if (!state.wasLost) speaker.say(words.offline);
  state.wasLost = true;
  setNotice(words.offline);
  const isRefused = await fetch("/", { cache: "no-store" }).then((response) => response.status === 401, () => false);
  if (isRefused) setNotice(words.signedOut, words.signIn, () => location.reload());
}

// --- what the person does ----------------------------------------------------------------------------------

/** Show the message, keep it until the daemon has it, send it. False when it cannot be sent at all. */
function say(text) {
  const size = byteLength(text);
  if (size > state.maxMessageBytes) {
    warn(words.tooLong(size, state.maxMessageBytes));
    return false;
  }
  warn("");
  const message = { id: kept.newId(), c: state.conversation, text: text.trim(), at: Date.now(), said: false };
  kept.keepUnsent(message);
  kept.touchConversation(state.conversation);
  transcript.addUser(message.id, message.text, socket.isOpen ? "" : "waiting");
  transcript.scrollToEnd();
  if (!text.startsWith("/")) name(text);
  sidebar.refresh(state.conversation);
  deliver(message);
  if (isCommand(text)) setTimeout(askModels, 500);
  refresh();
  return true;
}

function deliver({ id, c, text }) {
  return socket.send({ t: "say", id, c, text: text.toWellFormed?.() ?? text });
}

/** Everything that is not taken over yet, in the order in which it was written. */
function flush() {
  for (const message of kept.unsent()) if (!message.said) deliver(message);
}

/** A button: a command that needs no line of its own. */
function press(command) {
  socket.send({ t: "say", id: kept.newId(), c: state.conversation, text: command, quiet: true });
}

function sayTyping() {
  socket.send({ t: "typing", c: state.conversation });
}

function askModels() {
  socket?.send({ t: "models", c: state.conversation });
}

function saveDraft(text) {
  kept.setDraft(state.conversation, text);
}

function isCommand(text) {
  const found = /^\/([a-z0-9_]+)/i.exec(text);
  const command = found && state.commands.find((one) => [one.name, ...one.aliases].includes(found[1].toLowerCase()));
  return Boolean(command) && !command.turn;
}

/** After a reload: questions that the history does not have yet are shown again, once and in their place. */
function restoreUnsent(lines) {
  const inHistory = new Set(lines.filter((line) => line.kept).map((line) => line.id));
  for (const { id, c, text, said } of kept.unsent()) {
    if (inHistory.has(id) || (said && c === state.conversation && isCommand(text))) kept.dropUnsent(id);
    else if (c === state.conversation) transcript.addUser(id, text, "");
  }
}

function openConversation(id) {
  if (id === state.conversation) return;
  state.conversation = id;
  state.isShown = false;
  kept.setLastConversation(id);
  history.replaceState(null, "", `#${id}`);
  setTyping(false);
  transcript.clear();
  composer.set(kept.draft(id));
  sidebar.refresh(id);
  document.title = sidebar.titleOf(id);
  socket?.send({ t: "open", c: id });
  composer.focus();
  refresh();
}

function name(text) {
  kept.nameConversation(state.conversation, text.trim().replace(/\s+/g, " ").slice(0, 80));
  sidebar.refresh(state.conversation);
  document.title = sidebar.titleOf(state.conversation);
}

// --- what is shown around the transcript -------------------------------------------------------------------

function setTyping(isOn, ttl = 0) {
  clearTimeout(state.typingTimer);
  state.isTyping = isOn;
  if (isOn) state.typingTimer = setTimeout(() => setTyping(false), ttl * 1000);
  if (isOn) transcript.keepEnd();
  refresh();
}

function setNotice(text, action = words.retryNow, act = () => socket.now()) {
  $("#notice").hidden = text === "";
  $("#notice span").textContent = text;
  $("#notice button").textContent = action;
  $("#notice button").onclick = act;
}

function warn(text) {
  $("#warning").textContent = text;
  $("#warning").hidden = text === "";
}

function refresh() {
  const isBusy = state.isTyping || transcript.isGrowing;
  $("#typing").hidden = !state.isTyping || transcript.isGrowing;
  $("#stop").hidden = !isBusy;
  $("#empty").hidden = !transcript.isEmpty || isBusy;
  $("#hint").hidden = $("#hint").textContent === "";
  $("#latest").hidden = transcript.follows;
  document.body.classList.toggle("busy", isBusy);
}

async function copy(text, button) {
  let isDone = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    isDone = false;
  }
  const label = button.querySelector("span");
  const said = isDone ? words.copied : words.notCopied;
  speaker.say(said);
  button.classList.toggle("did", isDone);
  if (label) label.textContent = said;
  setTimeout(() => {
    button.classList.remove("did");
    if (label) label.textContent = words.copy;
  }, 1600);
}

$("#lines").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.copy === "code") copy(button.closest(".code-block").querySelector("code").textContent, button);
  if (button?.dataset.copy === "answer") copy(transcript.lines.get(button.closest(".line").dataset.id).text, button);
  if (button && "retry" in button.dataset) press("/retry");
});
$("#stop").addEventListener("click", () => press("/stop"));
$("#latest").addEventListener("click", () => transcript.scrollToEnd());
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.defaultPrevented && !$("#stop").hidden) press("/stop");
});
window.addEventListener("hashchange", () => {
  const id = location.hash.slice(1);
  if (kept.isId(id)) openConversation(id);
});

const asked = [location.hash.slice(1), kept.lastConversation()].find((id) => id && kept.isId(id));
openConversation(asked ?? kept.newId());
socket = new Socket({ open: onOpen, frame: onFrame, closed: onClosed });
