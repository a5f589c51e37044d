// What a screen reader is told. A growing answer would be read letter by letter, so whole blocks are said
// once they are complete, and never more often than a person can follow.

const PAUSE = 1500;
const LONGEST = 2000;

export class Speaker {
  constructor(region) {
    this.region = region;
    this.waiting = [];
    this.said = new WeakSet();
    this.timer = 0;
  }

  /** Say a finished block of an answer, once. */
  block(node) {
    if (this.said.has(node)) return;
    this.said.add(node);
    const label = node.getAttribute("aria-label");
    this.say(label && node.classList.contains("code-block") ? `${label}.` : node.textContent);
  }

  say(text) {
    const trimmed = text.trim().slice(0, LONGEST);
    if (!trimmed) return;
    this.waiting.push(trimmed);
    if (this.waiting.length > 50) this.waiting.shift();
    if (!this.timer) this.flush();
  }

  flush() {
    this.timer = 0;
    if (this.waiting.length === 0) return;
    this.region.textContent = this.waiting.splice(0).join(" ");
    this.timer = setTimeout(() => this.flush(), PAUSE);
  }
}
