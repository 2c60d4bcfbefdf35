// The parts of the report's page that are the same for every run: its looks, the model that its panels follow, and what
// draws it. The model knows no browser, so that a test can run it alone.
#ifndef METASTORE_SIM_REPORT_SCRIPT_H_
#define METASTORE_SIM_REPORT_SCRIPT_H_

#include <string_view>

namespace metastore::sim {

inline constexpr std::string_view report_head = R"html(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>metastore-sim report</title>
<link rel="icon" href="data:,">
<style>
body { font: 13px system-ui, sans-serif; margin: 0; display: flex; flex-direction: column; height: 100vh; }
header { padding: 6px 10px; background: #f2f4f7; border-bottom: 1px solid #cdd3da; }
header b { margin-right: 12px; } header button { min-width: 32px; } #verdict.fail { color: #b00020; font-weight: bold; }
#place { display: inline-block; min-width: 260px; font-variant-numeric: tabular-nums; }
main { flex: 1; display: flex; min-height: 0; }
#scroller { flex: 1; overflow: auto; position: relative; }
#canvas { position: sticky; left: 0; top: 0; display: block; }
aside { width: 380px; border-left: 1px solid #cdd3da; overflow: auto; padding: 8px; }
.panel { border: 1px solid #cdd3da; border-radius: 4px; padding: 4px 8px; margin-bottom: 4px; font-family: monospace; }
.panel.down { background: #eee; color: #777; } .panel.leads { border-color: #1a7f37; background: #eaf7ee; }
#now div { font-family: monospace; padding: 1px 0; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
</style></head><body>
<header><b id="title"></b><span id="verdict"></span><br>
<button id="first" title="Home">|&lt;</button><button id="back" title="Left">&lt;</button>
<button id="forward" title="Right">&gt;</button><button id="last" title="End">&gt;|</button>
<button id="bad">first violation</button> <span id="place"></span>
<button id="out" title="-">&minus;</button><button id="in" title="+">+</button>
<input id="search" type="search" size="30" placeholder="search; Enter: next, Shift-Enter: previous">
<span id="found"></span></header>
<main><div id="scroller"><canvas id="canvas"></canvas><div id="length"></div></div>
<aside><div id="panels"></div><h4>At this moment</h4><div id="now"></div>
<details><summary>The plan</summary><pre id="plan"></pre></details></aside></main>
)html";

inline constexpr std::string_view report_model = R"html(<script id="model">
// What the panels say, from the data alone.
class Model {
  constructor(data) {
    this.data = data;
    this.moments = data.moments.length;
    this.members = data.lanes.map((name, lane) => ({name, lane})).filter(m => m.name.startsWith('member '));
    const down = [0, 'is down', 0, 0, 0, 0, 0];
    this.states = new Map(this.members.map(m => [m.lane, [[-1, data.before[m.lane] || down]]]));
    this.at = Array.from({length: this.moments}, () => []);
    for (const happening of data.happenings) {
      this.at[happening[0]].push(happening);
      if (happening.length > 4) this.states.get(happening[1]).push([happening[0], happening[4]]);
    }
    this.violation = data.happenings.find(happening => happening[2] === 8);
  }
  // The state of a lane's member once everything of this moment has happened.
  state(lane, moment) {
    const states = this.states.get(lane);
    let low = 0, high = states.length;
    while (low + 1 < high) {
      const middle = (low + high) >> 1;
      if (states[middle][0] <= moment) low = middle; else high = middle;
    }
    while (low + 1 < states.length && states[low + 1][0] <= moment) ++low;
    return states[low][1];
  }
  panels(moment) {
    return this.members.map(member => {
      const [isUp, role, term, leader, commit, applied, revision] = this.state(member.lane, moment);
      const name = member.name.slice('member '.length) + ' ' + role;
      return isUp ? `${name} term=${term} leader=${leader} commit=${commit} applied=${applied} revision=${revision}`
                  : name;
    });
  }
  // The next moment in which something says `text`, from `moment` on in that direction; -1 if there is none.
  find(text, moment, direction) {
    const wanted = text.toLowerCase();
    const says = new Set();
    for (const h of this.data.happenings) if (h[3].toLowerCase().includes(wanted)) says.add(h[0]);
    for (const a of this.data.arrows) if (a[4].toLowerCase().includes(wanted)) says.add(a[0]);
    this.found = says.size;
    for (let at = moment + direction; at >= 0 && at < this.moments; at += direction) if (says.has(at)) return at;
    return -1;
  }
}
</script>
)html";

inline constexpr std::string_view report_view = R"html(<script>
const model = new Model(data);
const element = id => document.getElementById(id);
const canvas = element('canvas'), scroller = element('scroller'), pen = canvas.getContext('2d');
const laneHeight = 34, left = 90, top_ = 22;
const colors = ['#1a7f37', '#b00020', '#8250df', '#0969da', '#0969da', '#9a6700', '#b00020', '#57606a', '#b00020'];
let spacing = 14, moment = 0, isDrawing = false;
const seconds = at => (at / 1e9).toFixed(6) + 's';
const y = lane => top_ + lane * laneHeight + laneHeight / 2;

function resize() {
  element('length').style.width = left + model.moments * spacing + 200 + 'px';
  element('length').style.height = top_ + data.lanes.length * laneHeight - canvas.clientHeight + 'px';
  canvas.width = scroller.clientWidth;
  canvas.height = scroller.clientHeight;
  draw();
}

function draw() {
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(() => {
    isDrawing = false;
    paint();
    document.body.dataset.painted ||= performance.now();
  });
}

function dot(x, height, color, size) {
  pen.fillStyle = color;
  pen.beginPath();
  pen.arc(x, height, size, 0, 7);
  pen.fill();
}

function paint() {
  const first = Math.max(0, Math.floor((scroller.scrollLeft - left) / spacing) - 1);
  const last = Math.min(model.moments - 1, first + Math.ceil(canvas.width / spacing) + 2);
  const x = at => left + at * spacing - scroller.scrollLeft;
  const down = scroller.scrollTop;
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.translate(0, -down);
  pen.font = '11px system-ui';
  pen.fillStyle = '#fff3c4';
  pen.fillRect(x(moment) - spacing / 2, 0, spacing, top_ + data.lanes.length * laneHeight);
  data.lanes.forEach((name, lane) => {
    pen.strokeStyle = '#d8dee4';
    pen.lineWidth = 1;
    pen.beginPath(); pen.moveTo(0, y(lane)); pen.lineTo(canvas.width, y(lane)); pen.stroke();
  });
  for (const member of model.members) {
    for (let at = first; at <= last; ++at) {
      const [isUp, role] = model.state(member.lane, at);
      pen.fillStyle = !isUp ? '#c9ced4' : role === 'leads' ? '#1a7f37' : '#9ec5fe';
      pen.fillRect(x(at) - spacing / 2, y(member.lane) - 3, spacing + 0.5, 6);
    }
  }
  for (const [from, to, fromLane, toLane] of data.arrows) {
    if (from > last || (to >= 0 ? to : from) < first) continue;
    pen.strokeStyle = to < 0 ? '#d9a0a8' : fromLane === toLane ? '#0969da' : '#8c959f';
    pen.lineWidth = fromLane === toLane ? 4 : 1;
    const isHere = from === moment || to === moment;
    if (isHere && fromLane !== toLane) { pen.strokeStyle = '#24292f'; pen.lineWidth = 2; }
    pen.beginPath();
    pen.moveTo(x(from), y(fromLane));
    // What never came ends half way.
    const end = to < 0 ? [x(from) + spacing, (y(fromLane) + y(toLane)) / 2] : [x(to), y(toLane)];
    pen.lineTo(...end);
    pen.stroke();
    if (to >= 0 && fromLane !== toLane) dot(...end, pen.strokeStyle, 2.5);
  }
  for (let at = first; at <= last; ++at) {
    for (const [, lane, kind, text] of model.at[at]) {
      if (!text) continue;
      dot(x(at), y(lane), colors[kind], kind === 1 || kind === 6 || kind === 8 ? 6 : 3);
      if (spacing < 40 && kind !== 8) continue;
      pen.fillStyle = colors[kind];
      pen.fillText(text.slice(0, 60), x(at) + 5, y(lane) - 6);
    }
    if (at % Math.max(1, Math.round(120 / spacing)) === 0) {
      pen.fillStyle = '#57606a';
      pen.fillText(seconds(data.moments[at][0]), x(at), 12 + down);
    }
  }
  pen.fillStyle = 'rgba(255, 255, 255, 0.85)';
  pen.fillRect(0, 0, left - 10, top_ + data.lanes.length * laneHeight);
  pen.fillStyle = '#24292f';
  data.lanes.forEach((name, lane) => pen.fillText(name, 8, y(lane) + 4));
}

function line(parent, text, color) {
  const div = parent.appendChild(document.createElement('div'));
  div.textContent = text;
  div.style.color = color || '';
  return div;
}

function go(to, isCentered) {
  moment = Math.max(0, Math.min(model.moments - 1, to));
  const x = left + moment * spacing - scroller.scrollLeft;
  if (isCentered || x < left || x > scroller.clientWidth - 40) {
    scroller.scrollLeft = left + moment * spacing - scroller.clientWidth / 2;
  }
  const [at, event] = data.moments[moment] || [0, 0];
  element('place').textContent = `moment ${moment + data.skipped} event ${event} at ${seconds(at)}`;
  const panels = element('panels');
  panels.textContent = '';
  for (const text of model.panels(moment)) {
    const panel = line(panels, text);
    panel.className = 'panel' + (text.includes(' is down') ? ' down' : text.includes(' leads') ? ' leads' : '');
  }
  const now = element('now');
  now.textContent = '';
  for (const [, lane, kind, text] of model.at[moment] || []) {
    if (text) line(now, data.lanes[lane] + ': ' + text, colors[kind]);
  }
  for (const [from, to, fromLane, toLane, text] of data.arrows) {
    if (fromLane === toLane || (from !== moment && to !== moment)) continue;
    line(now, `${data.lanes[fromLane]} > ${data.lanes[toLane]}: ${text}` + (to < 0 ? '  (lost)' : ''));
  }
  draw();
}

function zoom(factor) {
  spacing = Math.max(2, Math.min(200, spacing * factor));
  resize();
  go(moment, true);
}

function search(direction) {
  const text = element('search').value;
  const at = text ? model.find(text, moment, direction) : -1;
  element('found').textContent = text ? `${model.found} moments` + (at < 0 ? ', none in this direction' : '') : '';
  if (at >= 0) go(at, true);
}

element('title').textContent = run.title;
element('verdict').textContent = run.verdict;
element('verdict').className = run.verdict.startsWith('FAIL') ? 'fail' : '';
element('plan').textContent = run.plan;
element('first').onclick = () => go(0, true);
element('last').onclick = () => go(model.moments - 1, true);
element('back').onclick = () => go(moment - 1);
element('forward').onclick = () => go(moment + 1);
element('bad').disabled = !model.violation;
element('bad').onclick = () => go(model.violation[0], true);
element('in').onclick = () => zoom(1.5);
element('out').onclick = () => zoom(1 / 1.5);
element('search').onkeydown = key => { if (key.key === 'Enter') search(key.shiftKey ? -1 : 1); };
canvas.onclick = click => go(Math.round((click.offsetX + scroller.scrollLeft - left) / spacing));
scroller.onscroll = draw;
window.onresize = resize;
document.onkeydown = key => {
  if (key.target.tagName === 'INPUT') return;
  const steps = {ArrowLeft: () => go(moment - 1), ArrowRight: () => go(moment + 1), Home: () => go(0, true),
                 End: () => go(model.moments - 1, true), '+': () => zoom(1.5), '-': () => zoom(1 / 1.5)};
  if (steps[key.key]) { steps[key.key](); key.preventDefault(); }
};
resize();
go(model.violation ? model.violation[0] : 0, true);
</script></body></html>
)html";

}  // namespace metastore::sim

#endif  // METASTORE_SIM_REPORT_SCRIPT_H_
