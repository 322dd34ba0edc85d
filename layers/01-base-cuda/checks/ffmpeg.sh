set -euo pipefail
cd "$(mktemp -d)"
ffmpeg -version | head -n 1
for encoder in libx264 libx265; do
    ffmpeg -nostdin -loglevel error -f lavfi -i testsrc=duration=1:size=320x240:rate=5 \
        -c:v "$encoder" "$encoder.mp4"
    frames=$(ffprobe -loglevel error -count_frames -select_streams v \
        -show_entries stream=nb_read_frames -of csv=p=0 "$encoder.mp4")
    echo "$encoder: $frames frames"
    test "${frames%%,*}" = 5
done
