// A price of the scale, which gives way to the name of a level that stands there.
const pixel = price => (y_range.end - price) / (y_range.end - y_range.start) * (plot.inner_height || 300)
const {y, at, lift} = levels.data
const taken = y.some((price, i) => isFinite(at[i]) && Math.abs(pixel(price) + lift[i] - pixel(tick)) < 14)
const step = ticks.length > 1 ? Math.abs(ticks[1] - ticks[0]) : 1
return taken ? "" : tick.toFixed(Math.min(6, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9))))
