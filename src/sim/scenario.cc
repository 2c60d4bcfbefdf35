#include "sim/scenario.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "sim/trace_log.h"
#include "sim/words.h"

namespace metastore::sim {
namespace {

/// Cuts the first line off.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

bool is_prose(std::string_view line) { return line.empty() || line.starts_with("#"); }

/// The deeds of lines "TIME DEED". None if there is another line, which becomes `wrong`.
std::optional<std::vector<Deed>> read_deeds(std::string_view input, std::string& wrong) {
  std::vector<Deed> deeds;
  while (!input.empty()) {
    const std::string_view line = take_line(input);
    if (is_prose(line)) continue;
    std::vector<std::string> words = split_words(line);
    const auto after = parse_duration(words.front());
    words.erase(words.begin());
    std::string reason = "it begins with no time";
    const auto kind = after ? parse_deed(words, reason) : std::nullopt;
    if (!kind) {
      wrong = std::string(line) + ": " + reason;
      return std::nullopt;
    }
    if (!deeds.empty() && Instant() + *after < deeds.back().at) {
      wrong = std::string(line) + ": it comes before the line above";
      return std::nullopt;
    }
    deeds.push_back({Instant() + *after, *kind});
  }
  return deeds;
}

/// "" if the words and lines behind `cluster` make a plan of `plan`.
std::string read_cluster(const std::vector<std::string>& words, std::string_view input, Plan& plan) {
  std::string lines(input);
  for (std::size_t i = 1; i < words.size(); ++i) lines += words[i] + "\n";
  plan = story_plan();
  return read_plan(lines, plan);
}

}  // namespace

std::optional<std::vector<Command>> read_scenario(std::string_view text, std::string& wrong) {
  std::vector<Command> commands;
  int number = 0;
  while (!text.empty()) {
    const std::string_view first = take_line(text);
    ++number;
    if (is_prose(first)) continue;
    Command command{.words = split_words(first), .input = {}, .transcript = {}, .line = number};
    bool has_ended = false;
    while (!text.empty() && !has_ended) {
      const std::string_view line = take_line(text);
      ++number;
      has_ended = line == "----";
      if (!has_ended) command.input += std::string(line) + "\n";
    }
    if (!has_ended) {
      wrong = "line " + std::to_string(command.line) + ": no ---- after this command";
      return std::nullopt;
    }
    while (!text.empty()) {
      const std::string_view line = take_line(text);
      ++number;
      if (line.empty()) break;
      command.transcript += std::string(line) + "\n";
    }
    commands.push_back(std::move(command));
  }
  return commands;
}

std::vector<std::string> settings(const Plan& plan) {
  std::vector<std::string> out;
  const std::string usual = "\n" + describe(story_plan());
  const std::string lines = describe(plan);
  for (std::string_view left = lines; !left.empty();) {
    const std::string line(take_line(left));
    if (usual.find("\n" + line + "\n") == std::string::npos) out.push_back(line);
  }
  return out;
}

std::string deed_line(const Deed& deed) {
  return duration_text(deed.at - Instant()) + " " + deed_text(deed.kind) + "\n";
}

std::string scenario_text(std::string_view about, const Plan& plan, const std::vector<Deed>& deeds) {
  std::string lines;
  for (const Deed& deed : deeds) lines += deed_line(deed);
  return scenario_text(about, plan, lines);
}

std::string scenario_text(std::string_view about, const Plan& plan, std::string_view deeds) {
  std::string out;
  while (!about.empty()) out += "# " + std::string(take_line(about)) + "\n";
  out += "cluster\n";
  for (const std::string& line : settings(plan)) out += line + "\n";
  return out + "----\nok\n\nschedule\n" + std::string(deeds) + "----\nok\n\nconverge\n----\npass\n";
}

std::optional<WrittenRun> read_written_run(std::string_view text, std::string& wrong) {
  const auto commands = read_scenario(text, wrong);
  if (!commands) return std::nullopt;
  constexpr std::string_view verbs[] = {"cluster", "schedule", "converge"};
  const auto has_verb = [](const Command& command, std::string_view verb) { return command.words.front() == verb; };
  if (!std::equal(commands->begin(), commands->end(), std::begin(verbs), std::end(verbs), has_verb)) {
    wrong = "not a run that was written down: cluster, schedule and converge are all that it may say";
    return std::nullopt;
  }
  WrittenRun run;
  wrong = read_cluster((*commands)[0].words, (*commands)[0].input, run.plan);
  if (!wrong.empty()) return std::nullopt;
  auto deeds = read_deeds((*commands)[1].input, wrong);
  if (!deeds) return std::nullopt;
  run.deeds = std::move(*deeds);
  return run;
}

Plan story_plan() {
  Plan plan;
  plan.seed = 1;
  plan.is_scripted = true;
  plan.clients = 4;
  plan.watchers = 0;
  plan.think_max = Duration::milliseconds(10);
  plan.patience_min = plan.patience_max = Duration::seconds(5);
  plan.keys = 8;
  plan.value_bytes_max = 100;
  plan.heartbeat_interval = Duration::milliseconds(100);
  plan.election_timeout = Duration::seconds(1);
  plan.checkpoint_interval = Duration::milliseconds(100);
  plan.watch_progress_interval = Duration::seconds(60);
  plan.limits.wal_segment_bytes = 65'536;
  plan.ttl_seconds_max = 2;
  const Duration moment = Duration::milliseconds(1);
  plan.disk = {.work_min = moment, .work_max = moment, .report_max = Duration::microseconds(1)};
  plan.network.delay_min = plan.network.delay_max = moment;
  plan.peers.network.delay_min = plan.peers.network.delay_max = moment;
  plan.crash_weights = {0, 1, 0, 0, 0};
  return plan;
}

std::string Story::execute(const std::vector<std::string>& words, std::string_view input) {
  const std::string& verb = words.front();
  if (verb == "cluster") return begin(words, input);
  if (simulation_ == nullptr) return "wrong: a story begins with `cluster`\n";
  if (verb == "schedule") return schedule(input);
  if (verb == "advance") return advance(words);
  if (verb == "name") return name(words);
  if (verb == "status") return status();
  if (verb == "converge") return converge();
  return act(words);
}

bool Story::step() { return simulation_->now() < until_ && simulation_->step(); }

std::string Story::begin(const std::vector<std::string>& words, std::string_view input) {
  const std::string wrong = read_cluster(words, input, plan_);
  if (!wrong.empty()) return "wrong: " + wrong + "\n";
  if (noise_ != 0) plan_.seed = noise_;
  has_converged_ = false;
  names_.clear();
  simulation_ = std::make_unique<Simulation>(plan_, is_trace_wanted_);
  return "ok\n";
}

std::string Story::schedule(std::string_view input) {
  std::string wrong;
  auto deeds = read_deeds(input, wrong);
  if (!deeds) return "wrong: " + wrong + "\n";
  const Duration past = simulation_->now() - Instant();
  for (Deed& deed : *deeds) {
    deed.at = deed.at + past;
    if (!simulation_->can_perform(deed.kind)) return "wrong: nobody is there for: " + deed_text(deed.kind) + "\n";
  }
  simulation_->play(std::move(*deeds));
  while (!simulation_->has_played() && step()) {
  }
  return "ok\n";
}

std::string Story::advance(const std::vector<std::string>& words) {
  const auto duration = words.size() == 2 ? parse_duration(words[1]) : std::nullopt;
  if (!duration) return "wrong: advance DURATION\n";
  const Instant limit = simulation_->now() + *duration;
  while (simulation_->now() < limit && step()) {
  }
  return "ok\n";
}

std::string Story::number_of(const std::string& word) const {
  if (const auto named = names_.find(word); named != names_.end()) return named->second;
  std::string leader;
  Term latest;
  std::vector<std::string> others;
  for (std::size_t i = 0; i < simulation_->machines().size(); ++i) {
    const Machine& machine = *simulation_->machines()[i];
    if (machine.is_down()) continue;
    const ReplicaStatus status = machine.status();
    if (status.is_leader && status.term > latest) {
      latest = status.term;
      leader = std::to_string(i + 1);
    } else if (!status.is_leader) {
      others.push_back(std::to_string(i + 1));
    }
  }
  if (word == "leader") return leader;
  if (word == "follower") return others.empty() ? "" : others[0];
  if (word == "other") return others.size() < 2 ? "" : others[1];
  return parse_count(word) ? word : "";
}

bool Story::resolve(std::vector<std::string>& words) const {
  constexpr std::string_view places[] = {"member=", "target="};
  for (std::size_t i = 1; i < words.size(); ++i) {
    std::string& word = words[i];
    const std::size_t arrow = words[0] == "cut" ? word.find('>') : std::string::npos;
    const auto place = std::find_if(std::begin(places), std::end(places),
                                    [&word](std::string_view one) { return word.starts_with(one); });
    if (place != std::end(places)) {
      const std::string number = number_of(word.substr(place->size()));
      if (number.empty()) return false;
      word = std::string(*place) + number;
    } else if (arrow != std::string::npos) {
      const std::string from = number_of(word.substr(0, arrow));
      const std::string to = number_of(word.substr(arrow + 1));
      if (from.empty() || to.empty()) return false;
      word = from + ">" + to;
    }
  }
  return true;
}

std::string Story::name(const std::vector<std::string>& words) {
  std::map<std::string, std::string> names;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::size_t sign = words[i].find('=');
    const std::string number = sign == std::string::npos ? "" : number_of(words[i].substr(sign + 1));
    if (number.empty()) return "wrong: nobody is there for it\n";
    names[words[i].substr(0, sign)] = number;
  }
  names_ = std::move(names);
  return "ok\n";
}

std::string Story::status() const {
  std::map<std::string, std::size_t> shown;  // The places of members, by their names.
  for (const auto& [name, number] : names_) shown[name] = static_cast<std::size_t>(*parse_count(number)) - 1;
  for (std::size_t i = 0; names_.empty() && i < simulation_->machines().size(); ++i) shown[std::to_string(i + 1)] = i;
  std::string out;
  for (const auto& [name, place] : shown) {
    const Machine& machine = *simulation_->machines()[place];
    if (machine.is_down()) {
      out += name + " is down\n";
      continue;
    }
    const ReplicaStatus status = machine.status();
    out += name +
           (status.is_leader    ? " leads"
            : status.is_learner ? " learns"
                                : " follows") +
           " revision=" + std::to_string(status.revision.value()) + "\n";
  }
  return out;
}

std::string Story::converge() {
  simulation_->conclude();
  while (step()) {
  }
  has_converged_ = true;
  if (!simulation_->is_over()) return "stopped\n";
  const auto& violation = simulation_->violation();
  if (!violation) return "pass\n";
  return "FAIL " + std::string(violation->oracle) + ": " + violation->message + "\n";
}

std::string Story::act(const std::vector<std::string>& words) {
  std::vector<std::string> said = words;
  const auto later = std::find(said.begin(), said.end(), "later");
  const bool is_waiting = later == said.end();
  if (!is_waiting) said.erase(later);
  if (!resolve(said)) return "wrong: nobody is there for it\n";
  std::string reason;
  const auto deed = parse_deed(said, reason);
  if (!deed) return "wrong: " + reason + "\n";
  if (!simulation_->can_perform(*deed)) return "wrong: nobody is there for it\n";
  simulation_->perform(*deed);
  const auto* ask = std::get_if<Ask>(&*deed);
  if (ask == nullptr || !is_waiting) return "ok\n";
  while (!simulation_->is_idle(ask->client) && step()) {
  }
  return answer_of(ask->client);
}

std::string Story::answer_of(std::uint64_t client) const {
  const auto& operations = simulation_->history().operations();
  const auto found = std::find_if(operations.rbegin(), operations.rend(),
                                  [client](const Operation& operation) { return operation.client == client; });
  if (found == operations.rend()) return "it was not asked\n";
  switch (found->ending) {
    case Ending::done:
      return describe(found->response) + "\n";
    case Ending::refused:
      return "refused: " + found->error + "\n";
    case Ending::unknown:
      return "unknown: " + (found->error.empty() ? "no answer" : found->error) + "\n";
    case Ending::pending:
      return "pending\n";
  }
  return "";
}

}  // namespace metastore::sim
