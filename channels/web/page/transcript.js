// The lines of one conversation.

import { highlight } from "./highlight.js";
import { el, icon, Painter } from "./paint.js";
import { words } from "./words.js";

const MAX_LINES = 400;
const NEAR_END = 48;

export class Transcript {
  /** `on`: {copied(isDone), retry(), changed()}; `speaker` tells a screen reader. */
  constructor(list, scroller, speaker, on) {
    this.list = list;
    this.scroller = scroller;
    this.speaker = speaker;
    this.on = on;
    this.lines = new Map(); // id -> line
    this.dirty = new Set();
    this.frame = 0;
    this.follows = true;
    scroller.addEventListener("scroll", () => {
      this.follows = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_END;
      this.on.changed();
    });
    new ResizeObserver(() => this.keepEnd()).observe(list);
  }

  get isEmpty() {
    return this.lines.size === 0;
  }

  get isGrowing() {
    return [...this.lines.values()].some((line) => line.isOpen);
  }

  clear() {
    this.lines.clear();
    this.dirty.clear();
    this.list.replaceChildren();
    this.follows = true;
  }

  /** The conversation as the daemon has it; lines that only this page knows stay where they are. */
  opened(lines) {
    let before = null;
    for (const given of lines) {
      let line = this.lines.get(given.id);
      if (!line) {
        line = given.role === "user" ? this.newUser(given.id, given.text) : this.newAnswer(given.id, true);
        if (before) before.after(line.node);
        else this.list.prepend(line.node);
        this.lines.set(given.id, line);
      }
      if (given.role === "user") this.setState(given.id, "");
      else this.setAnswer(line, given);
      before = line.node;
    }
    // An answer that the daemon does not speak of (it has restarted) is no longer growing; it may go on later.
    const known = new Set(lines.map((given) => given.id));
    for (const line of this.lines.values()) {
      if (line.isOpen && !known.has(line.id)) this.setAnswer(line, { text: line.text, open: false });
    }
    this.trim();
  }

  addUser(id, text, state = "") {
    if (!this.lines.has(id)) {
      const line = this.newUser(id, text);
      this.lines.set(id, line);
      this.list.append(line.node);
      this.trim();
    }
    this.setState(id, state);
  }

  /** `state`: "" (sent), "waiting", or why it was not sent. */
  setState(id, state) {
    const line = this.lines.get(id);
    if (!line || line.role !== "user" || line.state === state) return;
    line.state = state;
    line.node.classList.toggle("waiting", state === "waiting");
    line.node.classList.toggle("failed", state !== "" && state !== "waiting");
    line.foot.textContent = state === "waiting" ? words.waiting : state && `${words.notSent}. ${state}`;
  }

  /** A whole message: new, or replaced. */
  show(given) {
    let line = this.lines.get(given.id);
    if (!line) {
      line = this.newAnswer(given.id, false);
      this.lines.set(given.id, line);
      this.list.append(line.node);
      this.trim();
    }
    this.setAnswer(line, given);
  }

  /** A step of a growing message. False when a step is missing, so the whole has to be asked for again. */
  more(step) {
    const line = this.lines.get(step.id);
    if (!line || line.n !== step.was) return line !== undefined && line.n >= step.n;
    line.n = step.n;
    line.text = (step.cut ? line.text.slice(0, line.text.length - step.cut) : line.text) + step.text;
    if (step.open !== undefined) line.isOpen = step.open;
    this.paintSoon(line);
    return true;
  }

  gone(id) {
    this.lines.get(id)?.node.remove();
    this.lines.delete(id);
  }

  note(id, note) {
    const line = this.lines.get(id);
    if (line?.role === "assistant") {
      line.note = note;
      this.paintFoot(line);
    }
  }

  scrollToEnd() {
    this.follows = true;
    this.keepEnd();
  }

  keepEnd() {
    if (this.follows) this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  newUser(id, text) {
    const foot = el("p", { class: "state" });
    const body = el("div", { class: "bubble", dir: "auto" }, text);
    const node = el("article", { class: "line user", "data-id": id, "aria-label": words.you }, body, foot);
    return { id, role: "user", node, foot, state: "" };
  }

  newAnswer(id, isOld) {
    const body = el("div", { class: "text", dir: "auto" });
    const foot = el("footer", { class: "foot" });
    const node = el("article", { class: "line assistant", "data-id": id, "aria-label": words.answer }, body, foot);
    const line = { id, role: "assistant", node, foot, text: "", n: 0, isOpen: false, note: null, outcome: "done", isOld };
    line.painter = new Painter(body, (block) => {
      highlight(block);
      if (!line.isOld) this.speaker.block(block);
    });
    return line;
  }

  setAnswer(line, given) {
    line.text = given.text;
    line.n = given.n ?? line.n;
    if (given.open) line.isOld = false;
    line.isOpen = given.open === true;
    line.note = given.note ?? line.note;
    line.outcome = given.outcome ?? line.outcome;
    this.paintSoon(line);
  }

  paintSoon(line) {
    this.dirty.add(line);
    if (!this.frame) this.frame = requestAnimationFrame(() => this.paint());
  }

  /** At most once a screen refresh, whatever the model's speed; not at all while the page is hidden. */
  paint() {
    this.frame = 0;
    for (const line of this.dirty) {
      line.node.classList.toggle("growing", line.isOpen);
      line.node.setAttribute("aria-busy", String(line.isOpen));
      line.painter.show(line.text, line.isOpen);
      this.paintFoot(line);
    }
    this.dirty.clear();
    this.keepEnd();
    this.on.changed();
  }

  paintFoot(line) {
    if (line.isOpen) {
      line.foot.replaceChildren();
      return;
    }
    if (line.foot.childElementCount === 0) {
      line.foot.append(
        el("span", { class: "note" }),
        button("copy", words.copyAnswer, { "data-copy": "answer" }),
        button("retry", words.retry, { "data-retry": true }),
      );
    }
    const note = line.foot.firstChild;
    const { text, title } = noteText(line.note, line.outcome);
    if (note.textContent !== text) note.textContent = text;
    note.title = title;
  }

  trim() {
    for (const [id, line] of this.lines) {
      if (this.lines.size <= MAX_LINES) break;
      line.node.remove();
      this.lines.delete(id);
    }
  }
}

function button(name, label, attributes) {
  return el("button", { type: "button", class: "small", "aria-label": label, title: label, ...attributes }, icon(name));
}

function noteText(note, outcome) {
  const parts = [];
  if (outcome && outcome !== "done") parts.push(words[outcome] ?? outcome);
  if (note) {
    parts.push(note.model);
    if (note.reason) parts.push(note.reason);
    if (note.firstVisible !== undefined) parts.push(words.firstWord(note.firstVisible));
    if (note.tokensPerS !== undefined) parts.push(words.speed(note.tokensPerS));
    if (note.costUsd !== undefined) parts.push(words.cost(note.costUsd));
  }
  const hasTokens = note && (note.inputTokens !== undefined || note.outputTokens !== undefined);
  return { text: parts.join(" · "), title: hasTokens ? words.tokens(note.inputTokens, note.outputTokens) : "" };
}
