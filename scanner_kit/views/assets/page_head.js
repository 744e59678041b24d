// The header of a page that follows no board: the pages, what is shown, and the theme.
export function render({model}) {
  const root = make("div", "screen head")
  const told = JSON.parse(model.shown || "{}")
  const badge = make("span", "badge"), said = make("span", "said muted")
  root.append(make("span", "product", "scanner_kit"), ways(told.pages), badge, said, make("span", "space"), themeButton(model))
  const draw = () => {
    const {label, text} = JSON.parse(model.shown || "{}")
    badge.hidden = !label
    put(badge, (label ?? "").toUpperCase())
    put(said, text ?? "")
  }
  shows(model, draw)
  return root
}
