"""What of a page cannot be read: words and controls that are cut, hang over an edge, or have no room at all."""

from playwright.sync_api import Page

# Elements are in shadow roots: what clips one may be outside of its own. What can be scrolled to can be read.
CUT = """() => {
  const found = []
  const up = node => node.assignedSlot ?? node.parentElement ?? node.getRootNode().host ?? null
  const scrolls = word => /auto|scroll/.test(word)
  const look = node => {
    const box = node.getBoundingClientRect(), style = getComputedStyle(node)
    const clips = style.display !== 'inline', wider = node.scrollWidth - node.clientWidth
    if (box.width < 4 || box.height < 4) return 'has no room'
    if (clips && style.overflowX !== 'visible' && !scrolls(style.overflowX) && wider > 1) return 'is cut'
    if (clips && style.overflowY === 'hidden' && node.scrollHeight - node.clientHeight > 2) return 'is cut below'
    let x = true, y = true
    for (let outer = up(node); outer && (x || y); outer = up(outer)) {
      const edge = outer.getBoundingClientRect(), clip = getComputedStyle(outer)
      if (clip.display === 'contents') continue
      x &&= !scrolls(clip.overflowX)
      y &&= !scrolls(clip.overflowY)
      const beside = box.left < edge.left - 1 || box.right > edge.right + 1
      if (x && clip.overflowX !== 'visible' && beside) return 'hangs over an edge'
      const below = box.top < edge.top - 1 || box.bottom > edge.bottom + 1
      if (y && clip.overflowY !== 'visible' && below) return 'hangs below an edge'
    }
    return ''
  }
  const walk = root => {
    for (const node of root.querySelectorAll('*')) {
      if (node.shadowRoot) walk(node.shadowRoot)
      const words = [...node.childNodes].some(one => one.nodeType === 3 && one.data.trim())
      const speaks = words && !/^(OPTION|STYLE|SCRIPT)$/.test(node.tagName)
      if (!(speaks || /^(INPUT|SELECT|BUTTON)$/.test(node.tagName)) || !node.checkVisibility()) continue
      const fault = look(node)
      if (fault) found.push(`${node.tagName} ${node.className} ${fault}: ${(node.innerText || '').slice(0, 60)}`)
    }
  }
  walk(document.body)
  return found
}"""


def cut(page: Page) -> list[str]:
    """A line for each, with how it begins."""
    found: list[str] = page.evaluate(CUT)
    return found
