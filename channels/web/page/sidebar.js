// The list of conversations, the theme, and the drawer that both are in on a narrow screen.

import * as kept from "./kept.js";
import { el, icon } from "./paint.js";
import { words } from "./words.js";

const $ = (selector) => document.querySelector(selector);

export class Sidebar {
  /** `on`: {open(id), start()}. */
  constructor(on) {
    this.on = on;
    this.list = $("#conversations");
    this.side = $("#side");
    this.current = "";
    this.list.addEventListener("click", (event) => this.click(event));
    for (const button of document.querySelectorAll("[data-new]")) {
      button.addEventListener("click", () => {
        this.toggle(false);
        on.start();
      });
    }
    $("#menu").addEventListener("click", () => this.toggle(true));
    $("#shade").addEventListener("click", () => this.toggle(false));
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.isDrawerOpen) {
        event.preventDefault();
        this.toggle(false);
      }
    });
    for (const radio of document.querySelectorAll("[name=theme]")) {
      radio.checked = radio.value === kept.theme();
      radio.addEventListener("change", () => kept.setTheme(radio.value));
    }
    window.addEventListener("storage", () => this.refresh(this.current));
    this.narrow = matchMedia("(max-width: 52rem)");
    this.narrow.addEventListener("change", () => this.toggle(false));
    this.toggle(false);
  }

  get isDrawerOpen() {
    return document.body.classList.contains("drawer");
  }

  titleOf(id) {
    const title = kept.conversations().find((one) => one.id === id)?.title;
    return title ? `${title} · Firstword` : "Firstword";
  }

  refresh(current) {
    this.current = current;
    const known = kept.conversations();
    const list = known.some((one) => one.id === current) ? known : [{ id: current, title: "" }, ...known];
    this.list.replaceChildren(...list.map((one) => item(one, current)));
  }

  click(event) {
    const { id, remove } = event.target.closest("[data-id]")?.dataset ?? {};
    if (!id) return;
    if (remove === undefined) {
      this.toggle(false);
      this.on.open(id);
      return;
    }
    kept.removeConversation(id);
    if (id === this.current) this.on.start();
    else this.refresh(this.current);
  }

  /** The drawer takes the focus with it; while it is closed on a narrow screen nothing in it can be reached. */
  toggle(isOpen) {
    const was = this.isDrawerOpen;
    document.body.classList.toggle("drawer", isOpen);
    $("#menu").setAttribute("aria-expanded", String(isOpen));
    this.side.inert = this.narrow?.matches && !isOpen;
    $("main").inert = isOpen;
    if (isOpen) $("#side [data-new]").focus();
    else if (was) $("#menu").focus();
  }
}

function item({ id, title }, current) {
  const shown = title || words.untitled;
  const open = el("button", { type: "button", class: "open", "data-id": id, "aria-current": id === current ? "page" : null }, shown);
  const label = `Remove ${shown} from this list`;
  const remove = el("button", { type: "button", class: "remove", "data-id": id, "data-remove": true, "aria-label": label, title: label }, icon("cross"));
  return el("li", {}, open, ...(title ? [remove] : []));
}
