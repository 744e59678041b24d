// The header of the lab: the scanner that is tuned, the history it is tried on, and the theme.
export function render({model}) {
  const root = make("div", "screen head")
  const {history, label, scanners, pages} = JSON.parse(model.shown)
  const badge = make("span", "badge", label.toUpperCase())
  badge.hidden = !label
  const which = make("label", "which"), select = make("select")
  select.append(...scanners.map(([name, said]) => Object.assign(make("option", "", said), {value: name})))
  select.setAttribute("aria-label", "Scanner to tune")
  select.addEventListener("change", () => model.send_msg({scanner: select.value}))
  which.append(make("span", "muted", "Tuning"), select)
  root.append(make("span", "product", "scanner_kit"), ways(pages), which, make("span", "history muted", history), badge, make("span", "space"), themeButton(model))
  return root
}
