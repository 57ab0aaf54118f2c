// The words of the page in its languages. Names and texts of effects are as kfx has them.

const WORDS = {
  en: {
    picture: "Picture", "no-picture": "waiting for a picture", effects: "Effects", looks: "Looks",
    show: "Show", health: "Health", pair: "Pair this device",
    "pair-how": "Enter the code on the operator's screen. This device may then look.",
    code: "Code", "device-name": "Name of this device", "picture-whole": "Whole",
    "picture-wipe": "Wipe", "picture-hold": "Hold to compare", zoom: "1:1", safe: "Safe areas",
    faces: "Faces", pause: "Pause", full: "Full screen", panic: "PANIC", live: "Live",
    clean: "Clean", bypass: "Bypass", freeze: "Freeze", black: "Black", hold: "Plate",
    "panic-doc": "the clean plate, now (P)", "live-doc": "the finished picture (L)",
    "bypass-doc": "the plate, tracking goes on (B)", "freeze-doc": "the last picture, held (F)",
    "black-doc": "black (K)", "hold-doc": "the output shows the plate while this is on",
    add: "Add effect", "add-short": "Effect", undo: "Undo", redo: "Redo", save: "Save", "save-as": "Save as", revert: "Revert",
    changes: "Changes", fade: "Cross-fade", solo: "Solo", remove: "Remove", reorder: "Move",
    search: "Search", close: "Close", cancel: "Cancel", name: "Name", overwrite: "Overwrite",
    exists: "There is a look of this name already.", saved: "saved", own: "own",
    nothing: "nothing has been changed", reset: "double-click: as it comes", fire: "Fire",
    modulation: "Modulation", "add-signal": "Add a signal", routing: "Draws", everybody: "all", face: "Face",
    moved: "moved by", sec: "s", lost: "connection lost – trying again", back: "connected again",
    operator: "operator", viewer: "viewer", looking: "looking", people: "People",
    "pair-code": "Pairing code", "new-code": "New code", revoke: "Take away",
    "lan-off": "Only this machine can see this panel. For a tablet: kfx live --panel 0.0.0.0:8770",
    fps: "Frames a second", latency: "Latency, ms", render: "Rendering, ms", rate: "Rate",
    dropped: "Dropped", faces_now: "Faces", sinks: "Outputs", stages: "Stages, ms p50 / p95",
    state: "State", renderer: "Renderer", net: "Net", "not-on": "not on", gave: "Given up to hold the rate", panel: "This panel",
    minute: "last minute", none: "nothing", keys: "Keys", empty: "No effects: the plate goes through.",
    "no-others": "No song, cues or takes are wired to this show.", store: "Keep as", recall: "Back to",
    "k-hold": "hold: compare in this panel", "k-preset": "first eight looks", "k-undo": "undo, redo",
    "k-drag": "drag: fine", "k-dbl": "double-click: as it comes", "k-full": "picture full screen",
    "k-wipe": "wipe between plate and picture", "k-split": "plate beside picture", "picture-split": "Split", "k-add": "add an effect", "k-move": "on ⠿: move an effect", by: "by",
    "picture-late": "picture here", added: "added", cues: "Cues", learn: "MIDI and OSC learn",
    eight: "Eight", "eight-doc": "the eight looks within reach, large", within: "One of the eight within reach",
    plays: "may play", "plays-doc": "this device may change things, not only look", qr: "QR code: opens this panel on a tablet and pairs it",
    drawing: "pictures to be drawn:", "drawing-one": "its picture is still to be drawn", "no-pictures": "pictures can't be drawn",
    shape: "How it moves", curve: "Curve", attack: "Attack", release: "Release", "every-beats": "Every, beats",
    "rate-hz": "Rate (0: by beats)", phase: "Phase", "other-signal": "of a cue, OSC or MIDI …", "curve-linear": "linear", "curve-ease": "ease",
    "curve-ease_in": "ease in", "curve-ease_out": "ease out", "curve-step": "step", when: "Drawn while", if: "if",
    always: "always", "when-doc": "draw it only while a signal is above or below a value",
    "undo-cue": "Undo the edit of cues", "redo-cue": "Redo the edit of cues", "zoom-in": "Zoom in",
    "zoom-out": "Zoom out", "add-cue": "Cue", "edit-cue": "Edit cue", edit: "Edit", change: "Change",
    "go-next": "Go", "cue-at": "At", look: "Look", "fade-beats": "Fade, beats", output: "Output",
    flash: "Flash", notes: "Notes", takes: "Takes", roll: "Roll", cut: "Cut", circle: "Circle",
    "circle-doc": "mark this take, or the last, to keep", slate: "Slate", note: "Note",
    "cut-said": "cut", "no-take": "no take yet",
    "cue-how": "Drag a cue, or ← → by a beat, Page ↑ ↓ by a bar; Shift: quarter beats. Double-click: a new one. Saved at once.",
    "learn-short": "Learn", "learn-how": "Touch a knob here, then move a control of the MIDI or OSC device. Right-click: forget. Esc: stop.", forgotten: "moved by no control any more", collapse: "Fold", matches: "found",
  },
  ko: {
    picture: "화면", "no-picture": "화면을 기다리는 중", effects: "이펙트", looks: "룩",
    show: "공연", health: "상태", pair: "기기 연결",
    "pair-how": "오퍼레이터 화면의 코드를 입력하세요. 이 기기는 보기만 할 수 있습니다.",
    code: "코드", "device-name": "기기 이름", "picture-whole": "전체",
    "picture-wipe": "와이프", "picture-hold": "누르는 동안 비교", zoom: "1:1", safe: "안전 영역",
    faces: "얼굴", pause: "일시정지", full: "전체 화면", panic: "패닉", live: "라이브",
    clean: "클린", bypass: "바이패스", freeze: "정지", black: "블랙", hold: "원본",
    "panic-doc": "지금 바로 원본 화면으로 (P)", "live-doc": "완성된 화면 (L)",
    "bypass-doc": "원본 화면, 추적은 계속 (B)", "freeze-doc": "마지막 화면 유지 (F)",
    "black-doc": "검은 화면 (K)", "hold-doc": "켜져 있는 동안 출력에 원본을 표시",
    add: "이펙트 추가", "add-short": "이펙트", undo: "실행 취소", redo: "다시 실행", save: "저장", "save-as": "다른 이름",
    revert: "되돌리기", changes: "변경 사항", fade: "크로스페이드", solo: "솔로", remove: "삭제",
    reorder: "이동", search: "검색", close: "닫기", cancel: "취소", name: "이름",
    overwrite: "덮어쓰기", exists: "같은 이름의 룩이 이미 있습니다.", saved: "저장됨", own: "내 룩",
    nothing: "변경된 것이 없습니다", reset: "더블클릭: 기본값", fire: "실행",
    modulation: "모듈레이션", "add-signal": "신호 추가", routing: "적용 대상", everybody: "모두", face: "얼굴",
    moved: "모듈레이션:", sec: "초", lost: "연결이 끊겼습니다 – 다시 연결 중", back: "다시 연결됨",
    operator: "오퍼레이터", viewer: "뷰어", looking: "보는 중", people: "접속자",
    "pair-code": "연결 코드", "new-code": "새 코드", revoke: "해제",
    "lan-off": "이 컴퓨터에서만 볼 수 있습니다. 태블릿용: kfx live --panel 0.0.0.0:8770",
    fps: "초당 프레임", latency: "지연, ms", render: "렌더링, ms", rate: "프레임레이트",
    dropped: "드롭", faces_now: "얼굴", sinks: "출력", stages: "단계, ms p50 / p95",
    state: "상태", renderer: "렌더러", net: "신경망", "not-on": "사용 불가:", gave: "속도 유지를 위해 낮춘 것", panel: "이 패널",
    minute: "최근 1분", none: "없음", keys: "단축키", empty: "이펙트 없음: 원본이 그대로 나갑니다.",
    "no-others": "이 공연에는 곡, 큐, 테이크가 연결되어 있지 않습니다.", store: "보관", recall: "불러오기",
    "k-hold": "누르는 동안: 이 패널에서 비교", "k-preset": "처음 여덟 개의 룩", "k-undo": "실행 취소, 다시 실행",
    "k-drag": "드래그: 미세 조정", "k-dbl": "더블클릭: 기본값", "k-full": "화면 전체 보기",
    "k-wipe": "원본과 결과를 와이프로 비교", "k-split": "원본과 결과를 나란히", "picture-split": "나란히", "k-add": "이펙트 추가", "k-move": "⠿에서: 이펙트 이동", by: "변경:",
    "picture-late": "이 화면", added: "추가됨", cues: "큐", learn: "MIDI/OSC 학습",
    eight: "8개", "eight-doc": "자주 쓰는 룩 여덟 개를 크게 표시", within: "자주 쓰는 여덟 개에 포함",
    plays: "조작 허용", "plays-doc": "이 기기에서 보기뿐 아니라 조작도 허용", qr: "QR 코드: 태블릿에서 이 패널을 열고 연결합니다",
    drawing: "그릴 미리보기:", "drawing-one": "미리보기를 그리는 중", "no-pictures": "미리보기를 그릴 수 없음",
    shape: "움직이는 방식", curve: "커브", attack: "어택", release: "릴리스", "every-beats": "주기, 박",
    "rate-hz": "속도 (0: 박자 기준)", phase: "위상", "other-signal": "큐, OSC, MIDI 신호 …", "curve-linear": "직선", "curve-ease": "부드럽게",
    "curve-ease_in": "천천히 시작", "curve-ease_out": "천천히 끝", "curve-step": "계단", when: "표시 조건", if: "조건",
    always: "항상", "when-doc": "신호가 값보다 크거나 작을 때만 표시",
    "undo-cue": "큐 편집 취소", "redo-cue": "큐 편집 다시 실행", "zoom-in": "확대",
    "zoom-out": "축소", "add-cue": "큐 추가", "edit-cue": "큐 편집", edit: "편집", change: "변경",
    "go-next": "다음 큐", "cue-at": "위치", look: "룩", "fade-beats": "페이드, 박", output: "출력",
    flash: "플래시", notes: "메모", takes: "테이크", roll: "롤", cut: "컷", circle: "서클",
    "circle-doc": "이 테이크(또는 마지막 테이크)를 채택으로 표시", slate: "슬레이트", note: "메모 남기기",
    "cut-said": "컷", "no-take": "아직 테이크 없음",
    "cue-how": "큐를 드래그하거나 ← → 로 한 박, Page ↑ ↓ 로 한 마디 이동. Shift: 1/4박. 더블클릭: 새 큐. 바로 저장됩니다.",
    "learn-short": "학습", "learn-how": "여기서 노브를 누른 다음 MIDI 또는 OSC 기기의 컨트롤을 움직이세요. 오른쪽 클릭: 해제. Esc: 중지.", forgotten: "연결 해제됨", collapse: "접기", matches: "개",
  },
};

const LANGUAGES = Object.keys(WORDS);
let language = localStorage.getItem("kfx.language")
  || (navigator.language.startsWith("ko") ? "ko" : "en");

export const t = (word) => WORDS[language][word] ?? WORDS.en[word] ?? word;

export const other = () => LANGUAGES[(LANGUAGES.indexOf(language) + 1) % LANGUAGES.length];

export function use(one) {
  language = LANGUAGES.includes(one) ? one : "en";
  localStorage.setItem("kfx.language", language);
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-t]")) {
    element.textContent = t(element.dataset.t);
  }
}

export const current = () => language;
