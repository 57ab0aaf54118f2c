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
    add: "Add effect", undo: "Undo", redo: "Redo", save: "Save", "save-as": "Save as", revert: "Revert",
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
    state: "State", renderer: "Renderer", gave: "Given up to hold the rate", panel: "This panel",
    minute: "last minute", none: "nothing", keys: "Keys", empty: "No effects: the plate goes through.",
    "no-others": "No song, cues or takes are wired to this show.", store: "Keep as", recall: "Back to",
    "k-hold": "hold: compare in this panel", "k-preset": "first eight looks", "k-undo": "undo, redo",
    "k-drag": "drag: fine", "k-dbl": "double-click: as it comes", "k-full": "picture full screen",
    "k-wipe": "wipe", "k-add": "add an effect", "k-move": "on ⠿: move an effect", by: "by",
    "picture-late": "picture here", added: "added", cues: "Cues", learn: "MIDI learn",
    "learn-how": "Touch a knob here, then move a control of the MIDI device. Esc: stop.", collapse: "Fold", matches: "found",
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
    add: "이펙트 추가", undo: "실행 취소", redo: "다시 실행", save: "저장", "save-as": "다른 이름",
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
    state: "상태", renderer: "렌더러", gave: "속도 유지를 위해 낮춘 것", panel: "이 패널",
    minute: "최근 1분", none: "없음", keys: "단축키", empty: "이펙트 없음: 원본이 그대로 나갑니다.",
    "no-others": "이 공연에는 곡, 큐, 테이크가 연결되어 있지 않습니다.", store: "보관", recall: "불러오기",
    "k-hold": "누르는 동안: 이 패널에서 비교", "k-preset": "처음 여덟 개의 룩", "k-undo": "실행 취소, 다시 실행",
    "k-drag": "드래그: 미세 조정", "k-dbl": "더블클릭: 기본값", "k-full": "화면 전체 보기",
    "k-wipe": "와이프", "k-add": "이펙트 추가", "k-move": "⠿에서: 이펙트 이동", by: "변경:",
    "picture-late": "이 화면", added: "추가됨", cues: "큐", learn: "MIDI 학습",
    "learn-how": "여기서 노브를 누른 다음 MIDI 기기의 컨트롤을 움직이세요. Esc: 중지.", collapse: "접기", matches: "개",
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
