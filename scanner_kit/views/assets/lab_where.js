// By what triggers are grouped. Clicks on the bars beneath come through the window, for a plot speaks to no screen.
export function render({model}) {
  const root = make("div", "screen where"), select = make("select"), note = make("span", "note muted")
  select.setAttribute("aria-label", "Group by")
  select.addEventListener("change", () => model.send_msg({by: select.value}))
  root.append(make("span", "name", "Where"), select, note)
  let lab = "", options = ""
  const draw = () => {
    if (!model.shown) return
    const told = JSON.parse(model.shown), latest = JSON.stringify(told.groupings)
    lab = told.lab
    if (latest !== options) {
      options = latest
      select.replaceChildren(...told.groupings.map(([name, said]) => Object.assign(make("option", "", said), {value: name})))
    }
    select.value = told.by
    put(note, told.empty ? told.note : `mean R${told.note && `; ${told.note}`}; a click picks one`)
  }
  hear(model, "group", detail => { if (detail.lab === lab) model.send_msg({group: detail.label}) })
  shows(model, draw)
  return root
}
