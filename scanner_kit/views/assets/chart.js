// Fits prices and volume to the bars in sight, goes on with the newest bar, and keeps the levels' names apart.
const {x, low, high, volume: shares, vwap} = bars.data
const n = x.length
if (n > 0) {
  const before = plot.tags.last ?? x[n - 1], shift = x[n - 1] - before
  plot.tags = Object.assign([], {last: x[n - 1]})
  if (shift > 0 && shift < 3600000 && before <= x_range.end && before >= x_range.start) {
    x_range.setv({start: x_range.start + shift, end: x_range.end + shift})
  }
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
  const y = levels.data.y, pixels = (plot.inner_height || 300) / (y_range.end - y_range.start)
  const order = [...y.keys()].sort((a, b) => y[a] - y[b]), placed = []
  const places = new Array(y.length).fill(6)
  for (const i of order) {
    const near = placed.filter(j => Math.abs(y[i] - y[j]) * pixels < 14).map(j => places[j])
    while (near.includes(places[i])) places[i] += 92
    placed.push(i)
  }
  // A name at the upper edge hangs below its line.
  const drops = y.map(price => (y_range.end - price) * pixels < 15 ? -15 : 0)
  if (places.some((place, i) => place !== levels.data.shift[i]) || drops.some((drop, i) => drop !== levels.data.drop[i])) {
    Object.assign(levels.data, {shift: places, drop: drops})
    levels.change.emit()
  }
}
