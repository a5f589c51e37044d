// The model picker: a button that names the model, and a list that can be searched by typing.

import { el } from "./paint.js";
import { words } from "./words.js";

const MOST = 200;

export class Picker {
  /** `on`: {pick(ref), opened()}. */
  constructor(root, on) {
    this.on = on;
    this.button = root.querySelector("button");
    this.label = root.querySelector(".label");
    this.panel = root.querySelector(".panel");
    this.search = root.querySelector("input");
    this.list = root.querySelector("[role=listbox]");
    this.none = root.querySelector(".none");
    this.models = [];
    this.active = 0;
    this.button.addEventListener("click", () => (this.panel.hidden ? this.open() : this.close()));
    this.search.addEventListener("input", () => this.refresh());
    this.search.addEventListener("keydown", (event) => this.key(event));
    this.list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.pick(option.dataset.ref);
    });
    root.addEventListener("focusout", (event) => {
      if (!this.panel.hidden && !root.contains(event.relatedTarget)) this.close(false);
    });
    this.list.addEventListener("pointerdown", (event) => event.preventDefault());
  }

  get current() {
    return this.models.find((model) => model.current);
  }

  set(models) {
    this.models = models;
    this.button.hidden = models.length === 0;
    this.label.textContent = this.current?.title ?? words.model;
    if (!this.panel.hidden) this.refresh();
  }

  open() {
    this.panel.hidden = false;
    this.button.setAttribute("aria-expanded", "true");
    this.search.value = "";
    this.search.setAttribute("aria-expanded", "true");
    this.refresh();
    this.search.focus();
    this.on.opened();
  }

  close(takesFocus = true) {
    this.panel.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
    this.search.setAttribute("aria-expanded", "false");
    if (takesFocus) this.button.focus();
  }

  key(event) {
    const count = this.list.childElementCount;
    if (event.key === "ArrowDown" && count) this.mark((this.active + 1) % count);
    else if (event.key === "ArrowUp" && count) this.mark((this.active - 1 + count) % count);
    else if (event.key === "Enter" && count) this.pick(this.list.children[this.active].dataset.ref);
    else if (event.key === "Escape") this.close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  pick(ref) {
    this.close();
    this.on.pick(ref);
  }

  refresh() {
    const typed = this.search.value.trim().toLowerCase();
    const found = this.models.filter((model) =>
      [model.ref, model.title, ...model.aliases].some((one) => one.toLowerCase().includes(typed)),
    );
    this.list.replaceChildren(...found.slice(0, MOST).map(option));
    this.none.hidden = found.length > 0;
    const current = found.findIndex((model) => model.current);
    if (found.length > 0) this.mark(typed || current < 0 ? 0 : Math.min(current, MOST - 1));
  }

  mark(place) {
    this.list.children[this.active]?.classList.remove("active");
    this.active = place;
    const option = this.list.children[place];
    option.classList.add("active");
    option.scrollIntoView({ block: "nearest" });
    this.search.setAttribute("aria-activedescendant", option.id);
  }
}

function option(model, place) {
  const detail = [model.ref === model.title ? "" : model.ref, ...model.aliases].filter(Boolean).join(", ");
  const attributes = { role: "option", id: `model-${place}`, "data-ref": model.ref, "aria-selected": String(model.current) };
  return el("li", attributes, el("span", { class: "offer" }, model.title), el("span", { class: "detail" }, detail));
}
