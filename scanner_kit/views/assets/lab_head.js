// The header of the lab: the scanner that is tuned, the history it is tried on, and the theme.
export function render({model}) {
  const root = make("div", "screen head")
  const {history, label, scanners} = JSON.parse(model.shown)
  const badge = make("span", "badge", label.toUpperCase())
  badge.hidden = !label
  const which = make("label", "which"), select = make("select")
  select.append(...scanners.map(([name, said]) => Object.assign(make("option", "", said), {value: name})))
  select.setAttribute("aria-label", "Scanner to tune")
  select.addEventListener("change", () => model.send_msg({scanner: select.value}))
  which.append(make("span", "muted", "Tuning"), select)
  const theme = button("tool", "", "", () => {
    const dark = !model.dark
    document.cookie = `scanner-kit-theme=${dark ? "dark" : "light"}; path=/; max-age=31536000; samesite=lax`
    model.send_msg({dark})
  })
  theme.dataset.tool = "theme"
  theme.hidden = !model.served
  const draw = () => {
    theme.replaceChildren(icon(model.dark ? ICONS.sun : ICONS.moon))
    theme.title = model.dark ? "Light theme" : "Dark theme"
    theme.setAttribute("aria-label", theme.title)
  }
  model.on("dark", draw)
  draw()
  root.append(make("span", "product", "scanner_kit"), which, make("span", "history muted", history), badge, make("span", "space"), theme)
  return root
}
