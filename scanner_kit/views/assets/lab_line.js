// One plain line: what the scanner does now, and whether what is looked at is more than luck.
export function render({model}) {
  const root = make("div", "screen line"), said = make("span", "said"), luck = make("b", "luck")
  root.setAttribute("aria-live", "polite")
  root.append(luck, said)
  const draw = () => {
    if (!model.shown) return
    const told = JSON.parse(model.shown)
    put(said, told.said); put(luck, told.luck)
    said.title = told.said; luck.title = told.hint || told.luck
    luck.hidden = !told.luck
  }
  shows(model, draw)
  return root
}
