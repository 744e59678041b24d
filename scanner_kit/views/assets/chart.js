// Fits prices and volume to the bars in sight, and sets the levels' names in the margin.
const {x, low, high, volume: shares, vwap} = bars.data
const n = x.length
if (n > 0) {
  let bottom = Infinity, top = -Infinity, most = 1
  for (let i = 0; i < n; i++) {
    if (x[i] < x_range.start || x[i] > x_range.end) continue
    bottom = Math.min(bottom, low[i], isFinite(vwap[i]) ? vwap[i] : low[i])
    top = Math.max(top, high[i], isFinite(vwap[i]) ? vwap[i] : high[i])
    most = Math.max(most, shares[i])
  }
  if (top > -Infinity) {
    for (const price of in_sight.data.y) { bottom = Math.min(bottom, price); top = Math.max(top, price) }
    const height = Math.max(top - bottom, 0.001 * top)
    const start = bottom - 0.28 * height, end = top + 0.10 * height
    if (Math.abs(y_range.start - start) + Math.abs(y_range.end - end) > 0.002 * height) y_range.setv({start, end})
    volume.end = most * 5.5
  }
  // Names stand in the margin, each beside its line or as near as the others let it.
  const GAP = 15, height = plot.inner_height || 300, y = levels.data.y
  const pixel = price => (y_range.end - price) / (y_range.end - y_range.start) * height
  const seen = [...y.keys()].filter(i => pixel(y[i]) >= 0 && pixel(y[i]) <= height).sort((a, b) => pixel(y[a]) - pixel(y[b]))
  const places = apart(seen.map(i => pixel(y[i])), GAP, GAP / 2, height - GAP / 2)
  const at = y.map((_, i) => seen.includes(i) ? x_range.end : NaN)
  const lift = y.map((price, i) => seen.includes(i) ? Math.round(places[seen.indexOf(i)] - pixel(price)) : 0)
  if (!at.every((x, i) => Object.is(x, levels.data.at[i])) || !lift.every((by, i) => by === levels.data.lift[i])) {
    Object.assign(levels.data, {at, lift})
    levels.change.emit()
  }
}

// Places as near as can be to the wanted ones, which are in order, with a gap between them and within low and high:
// neighbours that are too close are set around their middle.
function apart(wanted, gap, low, high) {
  const blocks = []
  const middle = block => block.sum / block.count
  wanted.forEach((place, i) => {
    blocks.push({sum: place - i * gap, count: 1})
    while (blocks.length > 1 && middle(blocks.at(-2)) > middle(blocks.at(-1))) {
      const {sum, count} = blocks.pop()
      blocks.at(-1).sum += sum
      blocks.at(-1).count += count
    }
  })
  const room = high - (wanted.length - 1) * gap
  return blocks.flatMap(block => Array(block.count).fill(middle(block))).map((place, i) => Math.min(Math.max(place, low), Math.max(low, room)) + i * gap)
}
