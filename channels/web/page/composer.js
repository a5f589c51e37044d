// The box in which a person writes, and the list of commands that opens above it.

import { el } from "./paint.js";

const TYPING_EVERY = 10_000;

export class Composer {
  /** `on`: {send(text) -> taken, typing(), draft(text)}; `offers(text) -> [{insert, label, detail, isFinal}]`. */
  constructor(form, on, offers) {
    this.form = form;
    this.on = on;
    this.offers = offers;
    this.box = form.querySelector("textarea");
    this.list = form.querySelector("[role=listbox]");
    this.sendButton = form.querySelector("#send");
    this.shown = [];
    this.active = -1;
    this.dismissed = "";
    this.typedAt = 0;
    this.box.addEventListener("input", () => this.changed());
    this.box.addEventListener("keydown", (event) => this.key(event));
    this.box.addEventListener("blur", () => this.close());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    this.list.addEventListener("pointerdown", (event) => {
      event.preventDefault(); // the box keeps the focus
      const place = [...this.list.children].indexOf(event.target.closest("[role=option]"));
      if (place >= 0) this.choose(place);
    });
    this.fit();
  }

  get isListing() {
    return this.shown.length > 0;
  }

  set(text) {
    this.box.value = text;
    this.fit();
    this.close();
  }

  focus() {
    this.box.focus({ preventScroll: true });
  }

  send() {
    const text = this.box.value;
    if (text.trim() && this.on.send(text)) {
      this.set("");
      this.on.draft("");
      this.typedAt = 0;
    }
  }

  changed() {
    this.fit();
    this.dismissed = "";
    this.refresh();
    this.on.draft(this.box.value);
    const now = Date.now();
    if (this.box.value.trim() && now - this.typedAt > TYPING_EVERY) {
      this.typedAt = now;
      this.on.typing();
    }
  }

  /** As high as its text, up to what the style allows. */
  fit() {
    this.box.style.height = "auto";
    this.box.style.height = `${this.box.scrollHeight}px`;
    this.sendButton.disabled = this.box.value.trim() === "";
  }

  key(event) {
    if (event.isComposing) return;
    if (this.isListing && this.listKey(event)) {
      event.preventDefault();
      return;
    }
    const isPlainEnter = event.key === "Enter" && !event.shiftKey && !event.altKey;
    // On a touch keyboard Enter is the only way to a new line.
    if (isPlainEnter && !matchMedia("(pointer: coarse)").matches) {
      event.preventDefault();
      this.send();
    }
  }

  /** True when the key was meant for the list. */
  listKey(event) {
    const { key } = event;
    if (key === "ArrowDown") this.mark((this.active + 1) % this.shown.length);
    else if (key === "ArrowUp") this.mark((this.active - 1 + this.shown.length) % this.shown.length);
    else if (key === "Tab" && !event.shiftKey) this.choose(Math.max(this.active, 0));
    else if (key === "Enter" && !event.shiftKey && this.active >= 0 && this.changes(this.active)) this.choose(this.active);
    else if (key === "Escape") {
      this.dismissed = this.box.value;
      this.close();
      event.stopPropagation();
    } else return false;
    return true;
  }

  /** Whether taking this offer would change what is written; if not, Enter sends. */
  changes(place) {
    return this.shown[place].insert.trim() !== this.box.value.trim();
  }

  refresh() {
    const atEnd = this.box.selectionEnd === this.box.value.length;
    const offers = atEnd && this.box.value !== this.dismissed ? this.offers(this.box.value) : [];
    if (offers.length === 0) {
      this.close();
      return;
    }
    this.shown = offers;
    this.list.replaceChildren(
      ...offers.map((offer, place) => {
        const label = el("span", { class: "offer" }, offer.label);
        const detail = el("span", { class: "detail" }, offer.detail ?? "");
        return el("li", { role: "option", id: `offer-${place}`, "aria-selected": "false" }, label, detail);
      }),
    );
    this.list.hidden = false;
    this.box.setAttribute("aria-expanded", "true");
    this.mark(0);
  }

  mark(place) {
    this.list.children[this.active]?.setAttribute("aria-selected", "false");
    this.active = place;
    const option = this.list.children[place];
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    this.box.setAttribute("aria-activedescendant", option.id);
  }

  choose(place) {
    this.box.value = this.shown[place].insert;
    this.box.setSelectionRange(this.box.value.length, this.box.value.length);
    this.changed();
  }

  close() {
    this.shown = [];
    this.active = -1;
    this.list.hidden = true;
    this.list.replaceChildren();
    this.box.setAttribute("aria-expanded", "false");
    this.box.removeAttribute("aria-activedescendant");
  }
}

/** What completes `text`: a command's name, or its first argument. */
export function completions(text, commands, models) {
  const name = /^\/([a-z0-9_]*)$/i.exec(text);
  if (name) {
    const typed = name[1].toLowerCase();
    return commands
      .filter((command) => [command.name, ...command.aliases].some((one) => one.startsWith(typed)))
      .map((command) => ({
        insert: `/${command.name}${command.usage ? " " : ""}`,
        label: `/${command.name}${command.usage ? ` ${command.usage}` : ""}`,
        detail: command.summary,
      }));
  }
  const argument = /^\/([a-z0-9_]+)\s+(\S*)$/i.exec(text);
  const command = argument && commands.find((one) => [one.name, ...one.aliases].includes(argument[1].toLowerCase()));
  if (!command) return [];
  const choices = command.name === "model" ? modelChoices(models, command.choices) : command.choices.map((choice) => [choice, ""]);
  const typed = argument[2].toLowerCase();
  return choices
    .filter(([choice, title]) => choice.toLowerCase().includes(typed) || title.toLowerCase().includes(typed))
    .slice(0, 50)
    .map(([choice, title]) => ({ insert: `/${argument[1]} ${choice}`, label: choice, detail: title }));
}

function modelChoices(models, choices) {
  const known = new Map(choices.map((choice) => [choice, ""]));
  for (const model of models) known.set(model.ref, model.title === model.ref ? "" : model.title);
  return [...known];
}
