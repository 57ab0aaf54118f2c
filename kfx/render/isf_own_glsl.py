"""GLSL that shaders are given who read a history or buses."""

HISTORY = """
uniform sampler2D history;
uniform vec4 kfx_history_grid;  // columns, rows, where the newest is, how many there are
vec4 kfx_history_frame(float age, vec2 p) {
    float total = kfx_history_grid.x * kfx_history_grid.y;
    float slot = mod(kfx_history_grid.z - age + total, total);
    vec2 tile = vec2(mod(slot, kfx_history_grid.x), floor(slot / kfx_history_grid.x));
    vec2 edge = 0.5 * kfx_history_grid.xy / vec2(textureSize(history, 0));
    return texture(history, (tile + clamp(p, edge, 1.0 - edge)) / kfx_history_grid.xy);
}
vec4 kfx_history(float age_frames, vec2 norm) {
    float age = clamp(age_frames, 0.0, kfx_history_grid.w - 1.0);
    vec4 newer = kfx_history_frame(floor(age), norm);
    float part = fract(age);
    return part > 0.0 ? mix(newer, kfx_history_frame(floor(age) + 1.0, norm), part) : newer;
}
"""
BUS_PAST = "kfx_bus_past"
BUSES = """
uniform sampler2D buses;
uniform mat4 kfx_bus_windows;  // of each: lower left in the picture, 0..1, how often it goes there
uniform vec4 kfx_bus_there;   // for a, b, c and d: 1 where something is drawn onto it
uniform float kfx_bus_columns;
vec2 kfx_bus_place(int bus, vec2 norm) {
    vec2 edge = 0.5 * vec2(kfx_bus_columns, 1.0) / vec2(textureSize(buses, 0));
    vec2 q = clamp((norm - kfx_bus_windows[bus].xy) * kfx_bus_windows[bus].zw, edge, 1.0 - edge);
    return vec2((q.x + float(bus)) / max(kfx_bus_columns, 1.0), q.y);
}
vec4 kfx_bus(int bus, vec2 norm) { return texture(buses, kfx_bus_place(bus, norm)); }
"""
BUS_HISTORY = """
uniform sampler2D kfx_bus_past;
uniform vec4 kfx_bus_grid;
vec4 kfx_bus_history(int bus, float age_frames, vec2 norm) {
    float total = kfx_bus_grid.x * kfx_bus_grid.y;
    float age = clamp(floor(age_frames), 0.0, kfx_bus_grid.w - 1.0);
    float slot = mod(kfx_bus_grid.z - age + total, total);
    vec2 tile = vec2(mod(slot, kfx_bus_grid.x), floor(slot / kfx_bus_grid.x));
    return texture(kfx_bus_past, (tile + kfx_bus_place(bus, norm)) / max(kfx_bus_grid.xy, 1.0));
}
"""
