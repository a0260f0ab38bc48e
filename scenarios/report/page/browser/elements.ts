/** An element with what is in it; texts are texts, whatever stands in them. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string>> = {},
  ...inside: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...inside);
  return element;
}

export function button(text: string, title: string, click: () => void): HTMLButtonElement {
  const made = make('button', { type: 'button', title }, text);
  made.addEventListener('click', click);
  return made;
}
